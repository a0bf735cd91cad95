"""What a tracker has of a run that was stopped and went on: all rows."""

import json
import os
import signal

import pytest

from tests.programs import processes, tracked_run
from tfacme import loggers


@pytest.mark.slow
@pytest.mark.parametrize('engine', ['inline', 'local_mp'])
def test_no_row_is_lost_by_ctrl_c(engine, tmp_path):
  logs = tmp_path / 'logs'

  def run(steps):
    return processes.Command(
      ['-m', tracked_run.__name__, str(tmp_path), engine, str(steps)], cwd=processes.HERE.parents[1]
    )

  command = run(50_000_000)
  command.wait_for(logs / 'tracker' / 'learner.jsonl', 1)
  os.killpg(command.process.pid, signal.SIGINT)
  ended = command.wait(40)
  assert not ended.left and 'did not take' not in ended.err
  _check(logs)
  (saved,) = [int(name) for name in os.listdir(tmp_path / 'checkpoints') if name.isdigit()]
  ended = run(saved + 2000).wait(100)
  assert (ended.code, ended.left) == (0, []), ended.err
  _check(logs)
  told = _lines(logs / 'tracker' / 'run.jsonl')
  assert len({one['id'] for one in told}) == 1
  assert [one.get('start', one.get('finished')) for one in told] == [0, False, saved, True]


def _check(logs):
  """Whether all rows of each node are there, and the log of each was ended."""
  for node in ('actor-0', 'learner'):
    told = _lines(logs / 'tracker' / f'{node}.jsonl')
    assert told.pop() == {'end': True}
    rows = [tuple(map(float, row.values())) for row in loggers.read(logs / f'{node}.csv')]
    assert rows and set(rows) <= {tuple(one.values()) for one in told}


def _lines(path):
  return [json.loads(line) for line in path.read_text().splitlines()]
