"""What of standard error is kept from the user."""

import ctypes
import os
import subprocess
import sys
import time

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


def test_who_holds_the_lock_of_python_may_write_more_than_a_pipe_takes(capfd):
  """As Reverb does, with a line for each hundred items of a replay that it restores."""
  write = ctypes.PyDLL(None).write  # It does not give the lock away.
  line = _NOISE[-1].encode() + b'\n'
  with quiet.filtered_stderr():
    for _ in range(30_000):
      write(2, line, len(line))
    write(2, b'kept\n', 5)
  assert capfd.readouterr().err == 'kept\n'


def test_what_has_been_copied_takes_no_memory(capfd):
  with quiet.filtered_stderr():
    for _ in range(30):
      os.write(2, b'x' * 999_999 + b'\n')
      time.sleep(0.02)
    time.sleep(0.5)
    held = os.fstat(2)
  assert held.st_size == 30_000_000 and held.st_blocks * 512 < 5_000_000
  assert capfd.readouterr().err == ('x' * 999_999 + '\n') * 30


def test_lines_come_while_it_runs_and_the_last_one_may_have_no_end(capfd):
  with quiet.filtered_stderr():
    subprocess.run(['sh', '-c', 'echo of a process >&2'], check=True)
    deadline, seen = time.monotonic() + 10, ''
    while not seen and time.monotonic() < deadline:
      time.sleep(0.02)
      seen = capfd.readouterr().err
    assert seen == 'of a process\n'
    subprocess.run(['sh', '-c', 'echo > /dev/stderr; echo anew > /dev/stderr'], check=True)
    os.write(2, b'no end')
  assert capfd.readouterr().err.endswith('anew\nno end')


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
