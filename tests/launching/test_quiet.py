"""What of standard error is kept from the user."""

import os
import subprocess
import sys

import pytest

from tfacme.launching import quiet

_NOISE = [
  '2026-11-29 01:29:03.997382: I tensorflow/core/common_runtime/executor.cc:1197] (DEBUG INFO) invalid argument',
  '\t [[{{node batch_size}}]]',
  'I0000 00:00:1732.1 123 somewhere.cc:5] hello',
  '[reverb/cc/platform/default/server.cc:71] Started',
]
_KEPT = [
  'Traceback (most recent call last):',
  'InvalidArgumentError: {{function_node f}} no',
  '\t [[{{node Reshape}}]] [Op:f]',
  '2026-11-29 01:29:03.997382: E tensorflow/core/framework.cc:1] it failed',
]


def test_notes_of_libraries_are_dropped_and_errors_kept(capfd):
  with quiet.filtered_stderr():
    os.write(2, '\n'.join([*_NOISE, *_KEPT, *_NOISE, '']).encode())
  assert capfd.readouterr().err.splitlines() == _KEPT


_TRAINS = """
import tensorflow as tf
import sys; print('imported', file=sys.stderr, flush=True)
import tfacme
from tfacme import environments
from tfacme.agents import dqn
experiment = tfacme.Experiment(
  builder=dqn.DQNBuilder(dqn.DQNConfig(min_replay_size=20, batch_size=8)),
  networks=dqn.mlp_networks((4,)),
  environment=environments.factory('bsuite:catch/0'),
  budget=tfacme.Budget(actor_steps=40),
  evaluation=tfacme.Evaluation(episodes=1),
)
if __name__ == '__main__':
  tfacme.train(experiment, sys.argv[1], launch=sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.parametrize('engine', ['inline', 'local_mp'])
def test_tensorflow_may_be_imported_first(engine, tmp_path):
  """What it says of itself then is not ours to keep away; all that comes after it is."""
  (tmp_path / 'page.py').write_text(_TRAINS)
  plain = {name: value for name, value in os.environ.items() if name != 'TF_CPP_MIN_LOG_LEVEL'}
  command = [sys.executable, 'page.py', 'run', engine]
  path = os.pathsep.join(filter(None, sys.path))
  done = subprocess.run(
    command, cwd=tmp_path, env={**plain, 'PYTHONPATH': path}, capture_output=True, text=True, timeout=200, check=False
  )
  assert (done.returncode, done.stderr.partition('imported\n')[2]) == (0, '')
