"""Results for bsuite's own analysis are those that bsuite itself would have recorded, of the one actor alone."""

import csv
import json
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

from tfacme import cli, environments, errors, specs
from tfacme.cli import quiet
from tfacme.environments import bsuite_results
from tfacme.environments.bsuite import make as make_bsuite
from tfacme.runs import naming


@pytest.fixture(autouse=True)
def _not_silenced(monkeypatch):
  """The command would change variables of the process of all tests."""
  monkeypatch.setattr(quiet, 'silence', lambda: None)


def _play(environment, episodes):
  random = np.random.RandomState(0)
  count = environment.action_spec().num_values
  for _ in range(episodes):
    timestep = environment.reset()
    while not timestep.last():
      timestep = environment.step(np.int32(random.randint(count)))


def _rows(folder, name):
  with open(folder / f'bsuite_id_-_{name}.csv', encoding='utf-8') as file:
    return list(csv.DictReader(file))


@pytest.mark.parametrize('bsuite_id', ['catch/0', 'discounting_chain/1', 'cartpole_swingup/2', 'deep_sea_stochastic/0'])
def test_they_are_bsuites_own(bsuite_id, tmp_path):
  from bsuite.logging import csv_logging

  factory = environments.factory(f'bsuite:{bsuite_id}', frame_stack=2)
  _play(bsuite_results.recorded(factory, str(tmp_path / 'ours'))(5, role='actor'), 4)
  _play(csv_logging.wrap_environment(make_bsuite(bsuite_id, 5, {}), bsuite_id, str(tmp_path / 'theirs')), 4)
  name = bsuite_id.replace('/', '-')
  ours, theirs = _rows(tmp_path / 'ours', name), _rows(tmp_path / 'theirs', name)
  assert [row['episode'] for row in ours] == ['1', '2', '3', '4']
  assert ours == theirs


def test_only_the_actors_is_recorded(tmp_path):
  factory = bsuite_results.recorded(environments.factory('bsuite:catch/0'), str(tmp_path / 'results'))
  for role in ('spec', 'evaluator', 'prefill'):
    _play(specs.make_environment(factory, 1, role), 2)
  _play(factory(1), 2)
  assert not (tmp_path / 'results').exists()
  copy = pickle.loads(pickle.dumps(factory))
  _play(specs.make_environment(copy, 1, 'actor'), 2)
  assert len(_rows(tmp_path / 'results', 'catch-0')) == 2


def test_what_is_recorded_is_the_same_environment(tmp_path):
  factory = environments.factory('bsuite:catch/0', frame_stack=2)
  assert naming.name(bsuite_results.recorded(factory, str(tmp_path))) == naming.name(factory)


def test_a_second_stream_is_refused(tmp_path):
  factory = bsuite_results.recorded(environments.factory('bsuite:catch/0'), str(tmp_path))
  factory(1, role='actor')
  assert _rows(tmp_path, 'catch-0') == []
  with pytest.raises(errors.UserError, match='has results of catch/0 .*, which are those of one run with one actor'):
    factory(2, role='actor')
  with pytest.raises(errors.UserError, match='give another folder, or remove that file'):
    bsuite_results.recorded(environments.factory('bsuite:catch/0'), str(tmp_path))
  bsuite_results.recorded(environments.factory('bsuite:catch/1'), str(tmp_path))


@pytest.mark.parametrize(
  'settings, says',
  [
    ('--env gym:CartPole-v1', 'bsuite scores its own environments, .* and not gym:CartPole-v1'),
    ('--env bsuite:catch/0 --env.step-limit 3 --env.kwargs rows 5', 'With another kwargs and step_limit'),
    ('--env bsuite:catch/0 --slots 3', 'records one stream of episodes, and this run has 3 at once'),
    ('--env bsuite:catch/0 --actors 2 --launch local_mp', 'and this run has 2 at once'),
    ('--env bsuite:catch/0 --learner-steps 3 --dataset {data}', 'a run of --learner-steps has no actors'),
  ],
)
def test_what_can_not_be_recorded_is_one_sentence(settings, says, tmp_path, capsys, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr('tfacme.datasets.named', lambda *names: None)
  command = f'train dqn {settings} --bsuite-results results'.format(data=tmp_path)
  assert cli.main(command.split()) == 2
  captured = capsys.readouterr()
  assert captured.out == '' and captured.err.count('\n') == 1
  assert re.search(says, captured.err), captured.err
  assert not (tmp_path / 'results').exists()


def _command(bsuite_id, *options):
  command = ['train', 'dqn', '--env', f'bsuite:{bsuite_id}', '--bsuite-results', 'results', *options]
  return [*command, '--config.min-replay-size', '100', '--config.batch-size', '16', '--config.samples-per-insert', '4']


@pytest.mark.slow
def test_bsuites_analysis_scores_a_sweep(tmp_path, monkeypatch, capsys):
  """Three experiments, two settings of one of them; on two engines. A run that would go on is refused."""
  from bsuite.experiments import summary_analysis
  from bsuite.logging import csv_load

  monkeypatch.chdir(tmp_path)
  for bsuite_id in ('catch/0', 'bandit/3', 'memory_len/2'):
    assert cli.main(_command(bsuite_id, '--steps', '900')) == 0
  processes = [sys.executable, '-m', 'tfacme', *_command('catch/1', '--steps', '900', '--launch', 'local_mp')]
  subprocess.run(processes, check=True, timeout=300)
  data, sweep = csv_load.load_bsuite({'dqn': 'results'})
  episodes = data.groupby('bsuite_id')['episode'].max().to_dict()
  assert episodes == {'catch/0': 100, 'catch/1': 100, 'bandit/3': 900, 'memory_len/2': 200}
  scores = summary_analysis.bsuite_score(data, sweep).set_index('bsuite_env')
  assert set(scores.index) == {'bandit', 'catch', 'memory_len'}
  assert scores['score'].between(0, 1).all() and not scores['finished'].any()
  last = data[(data['bsuite_env'] == 'catch') & (data['episode'] == 100)]
  assert len(last) == 2 and (last['steps'] == 900).all()
  assert last['total_return'].to_numpy() == pytest.approx(100 - last['total_regret'].to_numpy())
  regret = last['total_regret'].mean() / 100
  assert scores.loc['catch', 'score'] == pytest.approx(np.clip((1.6 - regret) / 1.6, 0, 1))
  description = tmp_path / 'runs' / 'dqn-bsuite-catch-0-seed0' / 'experiment.json'
  assert json.loads(description.read_text())['environment'] == 'bsuite:catch/0'
  capsys.readouterr()
  assert cli.main(_command('catch/0', '--steps', '1800')) == 2
  assert 'would go on from a checkpoint' in capsys.readouterr().err
  assert cli.main(_command('catch/0', '--steps', '900', '--workdir', 'other')) == 2
  assert 'has results of catch/0' in capsys.readouterr().err
