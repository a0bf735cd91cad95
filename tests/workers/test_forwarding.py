"""Rows of a host without the run's folder are written by the counter: all of them, once, in order."""

import concurrent.futures
import json
import threading
import time

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


class _Client:
  """A client of a counter, whose calls are answered while `reachable` is set."""

  def __init__(self, counter):
    self._counter, self.calls, self.reachable = counter, [], threading.Event()
    self.reachable.set()

  def begin(self, method, *args):
    self.calls.append(args)
    answer = concurrent.futures.Future()
    if self.reachable.is_set():
      try:
        answer.set_result(getattr(self._counter, method)(*args))
      except Exception as error:
        answer.set_exception(error)
    return answer


def _until(condition):
  deadline = time.monotonic() + 10
  while not condition() and time.monotonic() < deadline:
    time.sleep(0.01)
  assert condition()


def test_rows_travel_together_and_none_waits_for_the_next(tmp_path):
  counter, path = _counter(tmp_path)
  client = _Client(counter)
  log = forwarding.Forwarded('actor-0', client, 0.05)
  for row in _rows(range(5)):
    log.write(row)
  _until(lambda: path.exists() and _written(path) == [0, 1, 2, 3, 4])
  assert len(client.calls) <= 2
  log.write({'actor_steps': 5})
  log.close()
  log.close()
  assert _written(path) == [0, 1, 2, 3, 4, 5]
  counter.close()


def test_who_closes_waits_no_longer_than_for_a_while_and_the_next_row_raises_what_the_counter_raised(tmp_path):
  counter, _ = _counter(tmp_path)
  client = _Client(counter)
  client.reachable.clear()
  log = forwarding.Forwarded('actor-0', client, 60.0)
  log.write({'actor_steps': 0})
  begun = time.monotonic()
  log.close()
  assert 0.5 < time.monotonic() - begun < 5.0
  client.reachable.set()
  counter.write = lambda *call: 1 / 0
  log = forwarding.Forwarded('actor-0', client, 0.01)
  log.write({'actor_steps': 0})
  _until(lambda: log._error is not None)
  with pytest.raises(ZeroDivisionError):
    log.write({'actor_steps': 1})


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
