"""A run whose core is killed begins again from its last checkpoint, and ends as if nothing had been."""

import os
import signal

import pytest

from tests.programs import processes
from tfacme import checkpoints, testing

_STEPS = 6000
_OPTIONS = ['--env', 'bsuite:catch/0', '--launch', 'local_mp', '--actors', '2', '--checkpointing.every', '2000']


@pytest.mark.slow
@pytest.mark.parametrize(
  'place, first, second', [('reverb', 'learner', 'replay'), ('beside-learner', 'counter', 'learner')]
)
def test_a_run_whose_core_is_killed_goes_on_from_its_last_checkpoint(place, first, second, tmp_path):
  options = [*_OPTIONS, '--replay', place, '--steps', str(_STEPS), '--workdir', str(tmp_path)]
  command = processes.tfacme('train', 'dqn', *options)
  command.wait_for(tmp_path / 'logs' / 'learner.csv', 2)  # Before there is a checkpoint.
  os.kill(command.named(first), signal.SIGKILL)
  command.wait_for_checkpoint(tmp_path)
  os.kill(command.named(second), signal.SIGKILL)
  ended = command.wait(120)
  assert (ended.code, ended.left) == (0, [])
  said = ' '.join(ended.err.split())
  for times, node in enumerate((first, second), 1):
    told = (
      f'The node {node} was lost, and the run begins again from its last checkpoint ({times} of 3 times in an hour): '
    )
    assert told + 'It was killed by SIGKILL.' in said
  assert f'Starting over in {tmp_path}' in ended.out and 'Resuming from step ' in ended.out
  steps = [int(row['actor_steps']) for row in testing.logs(tmp_path)['evaluator']]
  assert steps == sorted(set(steps)) and steps[-1] == _STEPS
  assert checkpoints.manifest(checkpoints.latest(str(tmp_path / 'checkpoints')))['steps'] == _STEPS
