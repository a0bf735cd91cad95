"""Several evaluations of one run: on two environments, of two policies, of a reward with two parts; on every engine."""

from __future__ import annotations

import contextlib
import dataclasses
import signal

import numpy as np
import pytest
from dm_env import specs as dm_specs

import tfacme
from tests.contract import environment, on_policy
from tfacme import checkpoints, datasets, errors, launching, observers, testing
from tfacme.agents import bc
from tfacme.graph import nodes, picture
from tfacme.graph import program as graph_program
from tfacme.workers import playing, plotting

ENGINES = [
  'inline',
  pytest.param('local_mt', marks=pytest.mark.slow),
  pytest.param('local_mp', marks=pytest.mark.slow),
]


class TwoParts(environment.TwoStates):
  """Pays in two parts: what `TwoStates` pays, and -1 in each step."""

  def step(self, action):
    timestep = super().step(action)
    return timestep._replace(reward=np.array([timestep.reward, -1.0], np.float32))

  def reward_spec(self):
    return dm_specs.Array((2,), np.float32, 'reward')


def in_two_parts(seed):
  return TwoParts(seed)


def _experiment(*more, **changes):
  return dataclasses.replace(
    on_policy.experiment(), evaluation=[tfacme.Evaluation(episodes=10, every=500), *more], **changes
  )


def _rows(run, name):
  return testing.logs(run)[name]


@pytest.mark.parametrize('engine', ENGINES)
def test_each_has_its_environment_its_policy_and_its_log(engine, tmp_path):
  run = str(tmp_path / 'run')
  experiment = _experiment(
    tfacme.Evaluation(name='parts', environment=in_two_parts, episodes=4, every=1000),
    tfacme.Evaluation(name='exploring', policy='behaviour', episodes=50, every=0),
    observers=(lambda: observers.DiscreteActionShare(2),),
  )
  statuses = []
  tfacme.train(experiment, run, launch=engine, progress=False, on_status=statuses.append)
  evaluated, parts, (exploring,) = (_rows(run, name) for name in ('evaluator', 'parts', 'exploring'))
  steps = experiment.budget.actor_steps
  assert evaluated[-1]['actor_steps'] == parts[-1]['actor_steps'] == exploring['actor_steps'] == str(steps)
  if engine == 'inline':
    assert [row['actor_steps'] for row in parts] == ['1000', '2000']
    assert [row['evaluator_episodes'] for row in evaluated] == ['10', '20', '30', '40']
  # The same environment but for what it pays, and the same policy on the same seeds.
  last, best = parts[-1], environment.BEST
  assert float(last['episode_return_1']) == -environment.LENGTH
  assert float(last['episode_return']) == float(last['episode_return_0']) + float(last['episode_return_1'])
  assert best - 0.5 <= float(last['episode_return_0']) <= best
  assert float(evaluated[-1]['episode_return']) >= best - 0.5
  assert 0 < float(exploring['episode_return']) <= float(evaluated[-1]['episode_return'])
  assert float(exploring['action_0_share']) + float(exploring['action_1_share']) == pytest.approx(1.0)
  notes = statuses[-1]['notes']
  shown = [name for name in notes if notes[name].get('evaluation_return') is not None]
  assert shown == ['evaluator', 'parts', 'exploring']
  assert plotting._read(run).returns[-1] == float(evaluated[-1]['episode_return'])


@pytest.mark.slow
def test_what_one_plays_does_not_depend_on_others(tmp_path):
  logs = []
  more = [tfacme.Evaluation(name='other', episodes=3, every=100)]
  for name, experiment in (('alone', _experiment()), ('together', _experiment(*more))):
    run = str(tmp_path / name)
    tfacme.train(experiment, run, progress=False)
    logs.append(_rows(run, 'evaluator'))
  assert logs[0] == logs[1]
  assert len(_rows(str(tmp_path / 'together'), 'other')) == 20


def test_the_first_one_is_plotted_whatever_its_name(tmp_path):
  run = str(tmp_path / 'run')
  named = [tfacme.Evaluation(name='first', episodes=2, every=0), tfacme.Evaluation(name='evaluator', every=1000)]
  budget = tfacme.Budget(actor_steps=100)
  tfacme.train(dataclasses.replace(on_policy.experiment(), evaluation=named, budget=budget), run, progress=False)
  assert plotting._read(run).returns.tolist() == [float(row['episode_return']) for row in _rows(run, 'first')]


def test_all_that_have_no_number_of_episodes_share_the_quarter(tmp_path):
  run, steps = str(tmp_path), 4000
  named = [tfacme.Evaluation(every=100), tfacme.Evaluation(name='other', policy='behaviour')]
  given = [tfacme.Evaluation(name='given', episodes=2, every=1000), tfacme.Evaluation(name='last', every=0)]
  experiment = dataclasses.replace(
    on_policy.experiment(), evaluation=[*named, *given], budget=tfacme.Budget(actor_steps=steps)
  )
  tfacme.train(experiment, run, progress=False)
  for name in ('evaluator', 'other'):
    *before, last = _rows(run, name)
    taken = int(before[-1]['evaluator_steps'])
    assert steps / 16 < taken <= steps / 8
    totals = [0, *(int(row['evaluator_episodes']) for row in (*before, last))]
    played = [after - before for before, after in zip(totals, totals[1:])]
    assert min(played) >= 5 and played[-1] == 20
  assert [row['evaluator_episodes'] for row in _rows(run, 'given')] == ['2', '4', '6', '8']
  assert [row['evaluator_episodes'] for row in _rows(run, 'last')] == ['20']


def test_a_run_from_recorded_data_always_plays_as_many_episodes_as_at_the_end(tmp_path):
  experiment = tfacme.Experiment(
    bc.BCBuilder(bc.BCConfig(batch_size=8)),
    environment.TwoStates,
    bc.default_networks(hidden_sizes=(8,)),
    tfacme.Budget(learner_steps=30),
    dataset=datasets.memory(environment.record(5)),
    evaluation=tfacme.Evaluation(every=10),
  )
  tfacme.train(experiment, str(tmp_path), progress=False)
  assert [row['evaluator_episodes'] for row in _rows(str(tmp_path), 'evaluator')] == ['20', '40', '60']


class _Stopping(environment.TwoStates):
  """Asks the run to stop at some of the steps that all of them take together."""

  steps, stops = 0, {}

  def step(self, action):
    _Stopping.steps += 1
    if _Stopping.steps in _Stopping.stops:
      signal.raise_signal(signal.SIGINT)
    return super().step(action)


def test_a_run_that_was_stopped_in_evaluations_has_them_all(tmp_path, monkeypatch):
  """Twice in one of them, once in the one on the final variables."""
  monkeypatch.setattr(playing, '_PIECE_SECONDS', -1.0)  # A stop is seen at the next step.
  length = environment.LENGTH
  monkeypatch.setattr(_Stopping, 'stops', {5 * length + 3, 6 * length + 3, 12 * length})
  evaluated = tfacme.Evaluation(environment=_Stopping, environments=1, every=200, episodes=4)
  experiment = dataclasses.replace(
    on_policy.experiment(), evaluation=evaluated, budget=tfacme.Budget(actor_steps=600), layout=tfacme.Layout(slots=4)
  )
  stopped = []
  while not stopped or not stopped[-1][1]:
    with contextlib.suppress(launching.Interrupted):
      tfacme.train(experiment, str(tmp_path), progress=False)
    manifest = checkpoints.manifest(checkpoints.latest(str(tmp_path / 'checkpoints')))
    stopped.append((manifest['steps'], manifest['complete']))
  assert stopped == [(400, False), (400, False), (600, False), (600, True)]
  rows = _rows(str(tmp_path), 'evaluator')
  assert [(row['actor_steps'], row['evaluator_episodes']) for row in rows] == [
    ('200', '4'),
    ('400', '8'),
    ('600', '12'),
  ]


def test_what_can_not_be_drawn_is_told_before_anything_starts(tmp_path):
  """Where nothing is logged, nothing has to be drawn: a learner alone needs no display."""
  experiment = _experiment(tfacme.Evaluation(name='drawn', animation=True))
  with pytest.raises(errors.UserError, match='There is nothing to watch: the environment draws no picture'):
    tfacme.make_program(experiment, str(tmp_path))
  tfacme.make_program(experiment)
  tfacme.make_program(dataclasses.replace(experiment, layout=tfacme.Layout(evaluators=0)), str(tmp_path))


def test_the_picture_has_them_all():
  program = tfacme.make_program(_experiment(tfacme.Evaluation(name='hard')))
  svg = picture.graph_svg(graph_program.graph(program))
  assert 'evaluator × 2' in svg and '>hard<' in svg


def test_without_evaluations_there_is_no_node_for_them():
  experiment = on_policy.experiment()
  for changes in ({'evaluation': ()}, {'layout': tfacme.Layout(evaluators=0)}):
    program = tfacme.make_program(dataclasses.replace(experiment, **changes))
    assert 'evaluator' not in [node.role for node in nodes.of_program(program)]
