"""Learning curves from small runs made by hand."""

import json

import numpy as np
import pytest
from PIL import Image

from tfacme import errors, loggers
from tfacme.workers import plotting


def make_run(folder, evaluated, episodes=(), agent='dqn', environment='bsuite:catch/0', unit='actor_steps', **settings):
  """A run's folder with evaluations [(steps, return)] and actors' episodes."""
  (folder / 'logs').mkdir(parents=True)
  (folder / 'experiment.json').write_text(json.dumps({'agent': agent, 'environment': environment, **settings}))
  counts = {'actor_steps': 0, 'learner_steps': 0}
  for name, rows in (('evaluator', evaluated), ('actor-0', episodes[::2]), ('actor-1', episodes[1::2])):
    logger = loggers.CSVLogger(folder / 'logs' / f'{name}.csv')
    for steps, value in rows:
      logger.write({**counts, unit: steps, 'episode_return': value, 'episode_length': 9})
    logger.close()
  return str(folder)


def test_evaluations_are_read(tmp_path):
  run = make_run(tmp_path / 'a', [(100, 0.0), (200, 0.5)], [(10, -1.0)])
  _, steps, returns, _ = plotting._read(run)
  assert steps.tolist() == [100, 200] and returns.tolist() == [0.0, 0.5]


def test_recorded_data_counts_learner_steps(tmp_path):
  run = make_run(tmp_path / 'a', [(100, 0.0), (200, 0.5)], unit='learner_steps')
  assert plotting._read(run).steps.tolist() == [100, 200]
  plotting.learning_curve([run], tmp_path / 'curve.png')


def test_without_evaluations_the_actors_episodes_are_read(tmp_path):
  run = make_run(tmp_path / 'a', [], [(20, 1.0), (10, -1.0), (30, 0.0)])
  _, steps, returns, _ = plotting._read(run)
  assert steps.tolist() == [10, 20, 30] and returns.tolist() == [-1.0, 1.0, 0.0]
  plotting.learning_curve([run], tmp_path / 'curve.png')


def test_runs_of_other_lengths_and_points_are_interpolated():
  curves = [
    plotting._Curve('actor_steps', np.array([0.0, 100.0, 200.0]), np.array([0.0, 1.0, 2.0]), True),
    plotting._Curve('actor_steps', np.array([50.0, 150.0]), np.array([1.0, 3.0]), True),
  ]
  steps, returns = plotting._common(curves, '')
  assert steps.tolist() == [50, 100, 150]
  assert returns.tolist() == [[0.5, 1.0, 1.5], [1.0, 2.0, 3.0]]
  with pytest.raises(errors.UserError, match='no steps in common'):
    plotting._common([curves[1], curves[1]._replace(steps=np.array([300.0, 400.0]))], 'dqn on catch')


def test_the_band_covers_the_mean_of_normal_seeds():
  generator = np.random.default_rng(1)
  low, high = plotting._band(generator.normal(size=(30, 400)))
  assert 0.88 < np.mean((low < 0) & (0 < high)) < 0.98
  low, high = plotting._band(np.ones((5, 3)))
  np.testing.assert_allclose([low, high], np.ones((2, 3)))


def test_single_episodes_are_smoothed():
  curve = plotting._Curve('actor_steps', np.arange(100.0), np.tile([0.0, 1.0], 50), False)
  smooth = plotting._smooth(curve).returns
  assert smooth[:2].tolist() == [0.0, 0.5]
  np.testing.assert_allclose(smooth[19:], 0.5)


def test_rows_without_a_number_are_left_out(tmp_path):
  run = make_run(tmp_path / 'a', [(1, 0.5), (2, ''), (3, float('nan')), (4, 1.5)])
  curve = plotting._read(run)
  assert curve.steps.tolist() == [1, 4] and curve.returns.tolist() == [0.5, 1.5]
  with pytest.raises(errors.UserError, match="no evaluation has a number in its column 'episode_return'"):
    plotting._read(make_run(tmp_path / 'b', [(1, '')]))


def test_another_column_is_drawn(tmp_path):
  run = make_run(tmp_path / 'a', [(1, 0.5), (2, 1.0)])
  assert plotting._read(run, 'episode_length').returns.tolist() == [9.0, 9.0]
  plotting.learning_curve([run], tmp_path / 'lengths.png', column='episode_length')
  with pytest.raises(errors.UserError, match="no column 'episode_lenght'; did you mean episode_length"):
    plotting.learning_curve([run], tmp_path / 'lengths.png', column='episode_lenght')


def test_a_line_that_ends_with_the_shortest_of_its_runs_is_told(tmp_path, caplog):
  runs = [make_run(tmp_path / f'{steps}', [(10, 0.0), (steps, 0.5)], seed=steps) for steps in (200, 198)]
  plotting.learning_curve(runs, tmp_path / 'curve.png')
  assert not caplog.records
  plotting.learning_curve([*runs, make_run(tmp_path / 'short', [(10, 0.0), (100, 0.5)], seed=3)], tmp_path / 'a.png')
  assert 'ends at 100 steps with the shortest of its runs; the longest has 200' in caplog.text


def test_pictures(tmp_path):
  runs = [make_run(tmp_path / f'{seed}', [(100, 0.0), (200 + seed, 0.5 + seed)]) for seed in range(3)]
  runs.append(make_run(tmp_path / 'other', [(100, 1.0)], agent='r2d2'))
  runs.append(make_run(tmp_path / 'cartpole', [(100, 1.0)], environment='gym:CartPole-v1'))
  plotting.learning_curve(runs[:1], tmp_path / 'new' / 'one.png')
  plotting.learning_curve(runs, tmp_path / 'all.png')
  assert Image.open(tmp_path / 'all.png').width > 1.5 * Image.open(tmp_path / 'new' / 'one.png').width


def test_a_long_legend_stays_in_the_picture():
  figure = plotting.figure_of(1)
  (axes,) = figure.axes
  axes.plot([0, 1], [0, 1], label='dqn, ' + ', '.join(f'a_setting_{i} some_value' for i in range(20)))
  axes.plot([0, 1], [0, 1], label='dqn, loss ' + 100 * 'a.b')
  plotting._dress(axes, 'title', 'actor_steps')
  figure.draw_without_rendering()
  legend, inside = axes.get_legend().get_window_extent(), axes.get_window_extent()
  assert inside.x0 <= legend.x0 and legend.x1 <= inside.x1


def test_runs_that_differ_in_more_than_the_seed_are_lines_of_their_own(tmp_path):
  def make(name, seed, n_step=1, launch='inline'):
    settings = {'config': {'n_step': n_step, 'gamma': 1}, 'layout': {'actors': 1}}
    return make_run(tmp_path / name, [(1, 1.0)], seed=seed, launch=launch, **settings)

  told = {'restarts': None, 'check_memory': True}  # of the layout, and told by no run of before
  more = make_run(
    tmp_path / 'f', [(1, 1.0)], seed=2, launch='inline', config={'n_step': 1, 'gamma': 1}, layout={'actors': 1, **told}
  )
  runs = [make('a', 0), make('b', 1), more, make('c', 0, n_step=3), make('d', 0, launch='local_mt'), make('e', 1)]
  lines = plotting._lines(runs)
  assert [(line.label, len(line.runs), line.seeds) for line in lines] == [
    ('dqn, n_step 1, launch inline', 4, 3),
    ('dqn, n_step 3, launch inline', 1, 1),
    ('dqn, n_step 1, launch local_mt', 1, 1),
  ]
  assert [line.label for line in plotting._lines(runs[:2])] == ['dqn']


@pytest.mark.parametrize(
  'one, other, labels',
  [
    (
      {'builder': {'type': 'Builder', 'loss': 'a:mean#1'}},
      {'builder': {'type': 'Builder', 'loss': 'a:huber#2'}},
      ['dqn, loss a:mean#1', 'dqn, loss a:huber#2'],
    ),
    (
      {'builder': {'agent': {'type': 'Inner', 'config': {'n_step': 1}}}},
      {'builder': {'agent': {'type': 'Inner', 'config': {'n_step': 3}}}},
      ['dqn, n_step 1', 'dqn, n_step 3'],
    ),
    ({'stack': 1}, {'stack': 4}, ['dqn, stack 1', 'dqn, stack 4']),
    (
      {'networks': 'Networks(sizes=(64), conv=True)', 'network_options': {'sizes': [64], 'conv': True}},
      {'networks': 'Networks(sizes=(32), conv=True)', 'network_options': {'sizes': [32], 'conv': True}},
      ['dqn, sizes [64]', 'dqn, sizes [32]'],
    ),
    (
      {'networks': 'Networks(sizes=(64))', 'network_options': {'sizes': [64]}},
      {'networks': 'Others(sizes=(64))', 'network_options': {'sizes': [64]}},
      ['dqn, networks Networks', 'dqn, networks Others'],
    ),
    ({'start': None}, {'start': 'runs/bc'}, ['dqn, start None', 'dqn, start runs/bc']),
    (
      {'evaluations': [{'name': 'evaluator', 'policy': 'evaluation'}]},
      {'evaluations': [{'name': 'evaluator', 'policy': 'behaviour'}]},
      ['dqn, policy evaluation', 'dqn, policy behaviour'],
    ),
  ],
)
def test_what_makes_another_experiment_makes_another_line(one, other, labels, tmp_path):
  runs = [make_run(tmp_path / f'{i}', [(1, 1.0)], seed=i, **settings) for i, settings in enumerate((one, other, other))]
  lines = plotting._lines(runs)
  assert [(line.label, len(line.runs)) for line in lines] == list(zip(labels, (1, 2)))


def test_seeds_that_began_with_seeds_of_one_experiment_are_one_line(tmp_path):
  starts = [make_run(tmp_path / f'bc{i}', [(1, 1.0)], seed=i, agent='bc') for i in range(2)]
  starts.append(make_run(tmp_path / 'bc2', [(1, 1.0)], seed=2, agent='bc', stack=4))
  runs = [make_run(tmp_path / f'{i}', [(1, 1.0)], seed=i, start=start) for i, start in enumerate(starts)]
  lines = plotting._lines(runs)
  assert [len(line.runs) for line in lines] == [2, 1]
  assert all('start bc#' in line.label for line in lines)


def test_steps_of_different_kinds_are_not_drawn_on_one_axis(tmp_path):
  acted = make_run(tmp_path / 'a', [(1, 1.0)], budget={'actor_steps': 1})
  learned = make_run(tmp_path / 'b', [(1, 1.0)], unit='learner_steps', budget={'learner_steps': 1})
  elsewhere = make_run(tmp_path / 'c', [(1, 1.0)], unit='learner_steps', environment='gym:CartPole-v1')
  assert len(plotting._lines([acted, learned])) == 2
  with pytest.raises(errors.UserError, match='on bsuite:catch/0 some count environment steps and some learner steps'):
    plotting.learning_curve([acted, learned], tmp_path / 'curve.png')
  plotting.learning_curve([acted, elsewhere], tmp_path / 'curve.png')


def test_errors_are_one_sentence(tmp_path):
  with pytest.raises(errors.UserError, match='no run in .*none'):
    plotting.learning_curve([str(tmp_path / 'none')], tmp_path / 'a.png')
  run = make_run(tmp_path / 'a', [])
  with pytest.raises(errors.UserError, match='nothing to plot'):
    plotting._read(run)
  run = make_run(tmp_path / 'b', [(1, 1.0)])
  with pytest.raises(errors.UserError, match="the ending 'picture', which is no format of pictures"):
    plotting.learning_curve([run], tmp_path / 'a.picture')
  with pytest.raises(errors.UserError, match='has no ending'):
    plotting.learning_curve([run], tmp_path / 'a')
