"""Rows of a host without the run's folder are written by the counter: all of them, once, in order."""

import json

import pytest

from tfacme import loggers
from tfacme.workers import counting, forwarding


def _counter(tmp_path):
  logged = loggers.OfRun((), loggers.Log.of_run(str(tmp_path / 'run'), {'id': 'one'}))
  return counting.Counter(100, 'actor_steps', [], logged.written), tmp_path / 'run' / 'logs' / 'actor-0.csv'


def _rows(numbers):
  return [{'actor_steps': number} for number in numbers]


def _written(path):
  return [int(row['actor_steps']) for row in loggers.read(str(path))]


def test_rows_travel_together_and_the_last_ones_at_the_end(tmp_path):
  counter, path = _counter(tmp_path)
  now, calls = [0.0], []
  counter.write, write = lambda *call: calls.append(call) or write(*call), counter.write
  log = forwarding.Forwarded('actor-0', counter, lambda: now[0])
  for i, row in enumerate(_rows(range(9))):
    now[0] = 0.2 * i
    log.write(row)
  assert [len(rows) for _, _, _, rows in calls] == [1, 3, 3]  # at 0.0, 0.6 and 1.2 s
  log.close()
  log.close()
  assert len(calls) == 4 and _written(path) == list(range(9))
  counter.close()


@pytest.mark.parametrize('again', [(0, [0, 1]), (0, [0, 1, 2, 3]), (2, [2, 3])])
def test_a_call_that_comes_twice_writes_nothing_twice(again, tmp_path):
  counter, path = _counter(tmp_path)
  counter.write('actor-0', 'a', 0, _rows([0, 1]))
  first, numbers = again
  for _ in range(2):
    counter.write('actor-0', 'a', first, _rows(numbers))
  assert _written(path) == list(range(max(numbers) + 1))
  counter.write('actor-0', 'b', 0, _rows([7]))  # It was made anew.
  assert _written(path)[-2:] == [max(numbers), 7]


def test_the_folder_is_here_if_its_run_is_the_same(tmp_path):
  log = loggers.Log.of_run(str(tmp_path), {'id': 'one'})
  logged = loggers.OfRun((), log)
  assert not logged.is_here()
  for run, is_here in (('one', True), ('another', False)):
    (tmp_path / 'experiment.json').write_text(json.dumps({'id': run}))
    assert logged.is_here() == is_here
  assert loggers.OfRun((), loggers.Log.of_run(str(tmp_path / 'nowhere'))).is_here()
