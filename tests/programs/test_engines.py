"""DQN on catch, from the command line, on every engine."""

import csv
import json
import subprocess
import sys

import pytest

from tests import pages
from tests.programs import processes
from tfacme import errors

ENGINES = [
  'inline',
  pytest.param('local_mt', marks=pytest.mark.slow),
  pytest.param('local_mp', marks=pytest.mark.slow),
]


@pytest.mark.parametrize('engine', ENGINES)
def test_dqn_learns_catch(engine, tmp_path):
  steps, actors = 6_000, 1 if engine == 'inline' else 2
  command = f'train dqn --env bsuite:catch/0 --steps {steps} --launch {engine} --actors {actors} --workdir {tmp_path}'
  ended = processes.run(*command.split())
  assert (ended.code, ended.err, ended.left) == (0, '', [])
  logs = tmp_path / 'logs'
  evaluations = rows(logs / 'evaluator.csv')
  learner = rows(logs / 'learner.csv')
  assert int(evaluations[-1]['actor_steps']) == steps
  assert float(evaluations[-1]['episode_return']) >= 0.9
  assert int(evaluations[-1]['learner_steps']) >= int(learner[-1]['learner_steps'])
  # The limiter holds the ratio of samples to inserts after the first ones, with room for its error buffer.
  config = json.loads((tmp_path / 'experiment.json').read_text())['config']
  spent = float(evaluations[-1]['learner_steps']) * config['batch_size']
  wanted = (steps - config['min_replay_size']) * config['samples_per_insert']
  assert abs(spent / wanted - 1) < 0.15
  _check_what_is_left(tmp_path)


def _check_what_is_left(run):
  pages.check_columns(run, 'dqn')
  for name in ('experiment.json', 'learning_curve.png', 'policy/saved_model.pb'):
    assert (run / name).exists()
  assert json.loads((run / 'experiment.json').read_text())['seed'] == 0
  evaluated = processes.run('evaluate', str(run), '--episodes', '20', '--json')
  result = json.loads(evaluated.out)
  columns = {'columns', 'columns_standard_error'}
  assert set(result) == {'mean', 'standard_error', 'minimum', 'maximum', 'episodes', 'episodes_cut', *columns}
  assert result['mean'] >= 0.9 and result['episodes'] == 20


@pytest.mark.slow
def test_the_exported_policy_needs_no_tfacme(tmp_path):
  run, out = tmp_path / 'run', tmp_path / 'exported'
  command = f'train dqn --env bsuite:catch/0 --steps 2000 --evaluation.every 0 --workdir {run}'
  assert processes.run(*command.split()).code == 0
  assert processes.run('export', str(run), '--out', str(out)).code == 0
  observations = [[[float(i == j) for j in range(5)] for i in range(10)] for _ in range(3)]
  there = subprocess.run(
    [sys.executable, '-I', '-c', _ALONE, str(out), json.dumps(observations)], capture_output=True, text=True
  )
  assert there.returncode == 0, there.stderr
  import numpy as np

  import tfacme

  policy = tfacme.load_policy(str(run))
  here = policy.act(np.array(observations, np.float32), np.ones(3, np.bool_))
  assert json.loads(there.stdout) == here.tolist()
  assert policy(np.array(observations[0], np.float64)) == here[0]  # Other numbers are converted.
  with pytest.raises(errors.UserError, match=r'shapes \[\(3, 3\)\], and the policy takes \[\(10, 5\)\]'):
    policy(np.zeros((3, 3), np.float32))


_ALONE = """
import sys, json
sys.modules['tfacme'] = None
sys.modules['sonnet'] = None
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
observations = tf.constant(json.loads(sys.argv[2]), tf.float32)
action, _ = model.act(observations, model.initial_state(3), tf.constant([0, 1]))
print(json.dumps(action.numpy().tolist()))
"""


def rows(path):
  """The rows of a log."""
  with open(path, newline='') as file:
    return list(csv.DictReader(file))
