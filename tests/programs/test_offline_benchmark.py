"""The comparison of offline agents: its numbers worked by hand, and all of it once, with tiny budgets."""

import dataclasses
import json

import pytest

from benchmarks import offline, offline_data
from tests import pages
from tfacme import errors

_TOLD = {
  'environment': 'gym:Pendulum-v1',
  'random': -1000.0,
  'expert': 0.0,
  'expert_returns': [0.0, 0.0],
  'data': {
    'medium': {'return_mean': -700.0, 'policy_returns': [-800.0, -600.0]},
    'medium-replay': {'return_mean': -900.0},
  },
}


def _write(out, agent, seed, returns, data='medium', steps=None, **differs):
  job = offline.Job('pendulum', data, agent, seed, steps)
  settings = offline._settings(offline._experiment(job, _TOLD, offline.Options('', str(out))))
  result = {
    **{'task': 'pendulum', 'data': data, 'agent': agent, 'seed': seed},
    **settings,
    'made_of': offline._made_of(_TOLD),
    'return': sum(returns) / len(returns),
    'returns': returns,
    **differs,
  }
  job.path(out).parent.mkdir(parents=True, exist_ok=True)
  job.path(out).write_text(json.dumps(result))


def test_scores_are_told_over_seeds_and_differences_over_initial_states(tmp_path, capsys):
  (tmp_path / offline_data.FILE).write_text(json.dumps({'pendulum': _TOLD}))
  for seed, returns in enumerate([[-700.0, -500.0], [-500.0, -300.0]]):
    _write(tmp_path, 'bc', seed, returns)
  for seed, returns in enumerate([[-400.0, -200.0], [-600.0, -400.0]]):
    _write(tmp_path, 'iql', seed, returns)
  _write(tmp_path, 'iql', 0, [-900.0, -900.0], data='medium-replay')
  _write(tmp_path, 'cql', 0, [-900.0, -900.0], made_of='other data')
  _write(tmp_path, 'awac', 0, [-900.0, -900.0], networks='other networks')
  offline.report(str(tmp_path))
  page = (tmp_path / 'README.md').read_text()
  scores, above_bc, above_policy = page.split('\nAbove ')
  # Means of -500 and of -400; each seed is 100 from the mean of two.
  assert '| agent | medium-replay | medium |' in scores and '| the data | 10.0 | 30.0 |' in scores
  assert '| bc |  | 50.0 ± 10.0 |' in scores and '| iql | 10.0 (of 1) | 60.0 ± 10.0 |' in scores
  # On average IQL has -500 and -300 where BC has -600 and -400: the same difference in both states.
  assert '| iql |  | 10.0 ± 0.0 (± 14.1) |' in above_bc
  # The policy has -800 and -600.
  assert '| iql |  | 30.0 ± 0.0 (± 10.0) |' in above_policy and '| bc |  | 20.0 ± 0.0 (± 10.0) |' in above_policy
  rows = (tmp_path / 'scores.csv').read_text().splitlines()
  assert rows[0] == 'task,data,agent,seed,learner_steps,return,score'
  assert rows[1] == 'pendulum,medium-replay,iql,0,20000,-900.0,10.0' and len(rows) == 6
  assert (tmp_path / 'pendulum.png').exists()
  left_out = capsys.readouterr().err
  assert 'cql-seed0.json is left out' in left_out and 'awac-seed0.json is left out' in left_out
  assert 'Learning steps and batch size: bc 20,000 of 256; iql 20,000 of 256.' in scores


def test_runs_of_other_steps_than_those_of_the_page_stand_apart(tmp_path, capsys):
  (tmp_path / offline_data.FILE).write_text(json.dumps({'pendulum': _TOLD}))
  for agent, steps, value in (
    ('bc', None, -500.0),
    ('iql', None, -300.0),
    ('iql', 1000, -400.0),
    ('bc', 1000, -700.0),
    ('mbop', None, -200.0),  # of 5,000 steps
    ('cql', 2000, -800.0),
  ):
    _write(tmp_path, agent, 0, [value, value], steps=steps)
  names = sorted(path.name for path in (tmp_path / 'runs' / 'pendulum' / 'medium').iterdir())
  assert names[:3] == ['bc-seed0.json', 'bc-steps1000-seed0.json', 'cql-steps2000-seed0.json'] and len(names) == 6
  offline.report(str(tmp_path))
  assert not capsys.readouterr().err
  scores, above_bc, above_policy = (tmp_path / 'README.md').read_text().split('\nAbove ')
  assert [line for line in scores.splitlines() if line.startswith(('| ', 'Learning'))] == [
    '| agent | medium |',
    '| the data | 30.0 |',
    '| bc (1,000 steps) | 30.0 |',
    '| bc | 50.0 |',
    '| cql (2,000 steps) | 20.0 |',
    '| iql (1,000 steps) | 60.0 |',
    '| iql | 70.0 |',
    '| mbop | 80.0 |',
    'Learning steps and batch size: bc 1,000 of 256; bc 20,000 of 256; cql 2,000 of 256; iql 1,000 of 256; iql 20,000 '
    'of 256; mbop 5,000 of 256.',
  ]
  # Beside BC of as many steps, of which there is none for CQL.
  assert [line for line in above_bc.splitlines() if line.startswith('| ')][1:] == [
    '| iql (1,000 steps) | 30.0 ± 0.0 |',
    '| iql | 20.0 ± 0.0 |',
    '| mbop | 30.0 ± 0.0 |',
  ]
  assert above_policy.count('bc') == 2
  # One whose name does not tell its steps would be taken for one of the page.
  (tmp_path / 'runs/pendulum/medium/cql-steps2000-seed0.json').rename(tmp_path / 'runs/pendulum/medium/cql-seed0.json')
  assert len(offline.results(str(tmp_path))) == 5
  assert 'cql-seed0.json is left out' in capsys.readouterr().err


def test_tasks_are_those_of_which_there_are_data(tmp_path, capsys):
  (tmp_path / 'pendulum').mkdir()
  made = {'pendulum': _TOLD, 'cartpole': _TOLD}
  options = offline.Options(str(tmp_path), kinds=('medium',), agents=('bc', 'mbop'), seeds=(0,), steps=20_000)
  wanted = [offline.Job('pendulum', 'medium', 'bc', 0), offline.Job('pendulum', 'medium', 'mbop', 0, 20_000)]
  assert offline.jobs(options, made) == wanted  # The page of MBOP has other steps.
  assert capsys.readouterr().out == f'Left out, for lack of data in {tmp_path}: cartpole.\n'
  assert offline.jobs(dataclasses.replace(options, tasks=('pendulum',)), made) == wanted
  assert not capsys.readouterr().out
  for task in ('cartpole', 'swingup'):
    with pytest.raises(errors.UserError, match=f'There are no data of {task!r} in {tmp_path}: benchmarks/offline_data'):
      offline.jobs(dataclasses.replace(options, tasks=('pendulum', task)), made)


def test_the_teacher_is_medium_where_it_is_nearest_to_a_third_on_its_first_way_up(tmp_path):
  class Run:
    workdir = str(tmp_path)

  (tmp_path / 'logs').mkdir()
  for returns, steps in (([0, 20, 50, 90, 33], 200), ([0, 5, 30, 20, 90], 300), ([90, 0, 0, 0, 0], 200)):
    lines = [f'{100 * (i + 1)},{value}' for i, value in enumerate(returns)]
    (tmp_path / 'logs' / 'evaluator.csv').write_text('\n'.join(['actor_steps,episode_return', *lines, '']))
    assert offline_data._medium(Run(), random=0.0, expert=100.0) == steps


def test_data_are_not_made_over_what_is_there(tmp_path):
  options = offline_data.Options(str(tmp_path / 'data'), str(tmp_path / 'results'), tasks=('pendulum',))
  expert = tmp_path / 'data' / 'pendulum' / 'expert'
  assert not offline_data._is_there('pendulum', options)
  expert.mkdir(parents=True)
  with pytest.raises(
    errors.UserError, match='data/pendulum is not empty, and .*results/datasets.json does not tell of'
  ):
    offline_data.main(options)
  told = {'seed': 0, 'expert_steps': 160_000, 'expert_returns': [0.0] * 100}
  (tmp_path / 'results' / offline_data.FILE).write_text(json.dumps({'pendulum': told}))
  offline_data.main(options)
  for changes, says in (
    ({'seed': 1}, 'of seed 0 in the place of 1: give another'),
    ({'steps': 9, 'transitions': 7}, 'of steps 160,000 in the place of 9, transitions 100,000 in the place of 7: give'),
  ):
    with pytest.raises(errors.UserError, match=says):
      offline_data.main(dataclasses.replace(options, **changes))
  assert expert.exists()
  expert.rmdir()
  assert not offline_data._is_there('pendulum', options)  # It was told of, and is made anew.


@pytest.mark.slow
def test_all_of_it(tmp_path):
  few = '--data data --out results --tasks cartpole'
  lines = [
    f'python -m benchmarks.offline_data {few} --steps 1500 --transitions 200 --initial-states 3 --looks 10',
    f'python -m benchmarks.offline {few} --agents bc --kinds medium-replay --seeds 0 --steps 20 --workdir runs',
  ]
  pages.run_commands(lines, tmp_path)
  told = offline_data.read(str(tmp_path / 'results'))['cartpole']
  assert set(told['data']) == set(offline_data.KINDS)
  for kind, data in told['data'].items():
    assert data['transitions'] >= (1 if kind == 'medium-replay' else 200), kind
  found = offline.results(str(tmp_path / 'results'))
  assert [(one['data'], len(one['returns'])) for one in found] == [('medium-replay', 3)]
  assert all(one['curve'] for one in found)
  # It is not made again but with other settings than those of today.
  options = offline.Options('data', str(tmp_path / 'results'))
  job = offline.Job('cartpole', 'medium-replay', 'bc', 0, 20)
  assert job.path(options.out).name == 'bc-steps20-seed0.json'
  assert offline.is_there(job, told, options)
  assert not offline.is_there(job._replace(steps=21), told, options)
  assert not offline.is_there(job._replace(steps=None), told, options)
  result = json.loads(job.path(options.out).read_text())
  other = {**result['config'], 'batch_size': 7}
  older = {name: value for name, value in result['config'].items() if name != 'batch_size'}
  tuned = {name: value for name, value in result['config'].items() if name != 'learning_rate'}  # The page has its own.
  for config, there in ((other, False), (older, True), (tuned, False)):
    job.path(options.out).write_text(json.dumps({**result, 'config': config}))
    assert offline.is_there(job, told, options) == there
  job.path(options.out).write_text(json.dumps(result))
  assert not offline.is_there(job, {**told, 'random': 1.0}, options)
