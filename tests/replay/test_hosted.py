"""A replay beside a learner, and those who write into it from elsewhere."""

import threading
import time

import numpy as np
import pytest

from tests.replay import replay_testing as testing
from tfacme import core
from tfacme.graph import remote
from tfacme.replay import items, tables, visiting


def _pairs(limiter=None, max_size=1000):
  return tables.Table(items.Items(2), limiter or tables.min_size(1), max_size)


def _replay(table, rows=3):
  return testing.BesideBackend(rows).replay([table])


def _feed(replay, visited=None):
  return testing.Feed((visited or replay).writer(), replay.codec)


def _size(replay):
  (usage,) = replay.usage().values()
  return usage.size


def _eventually(check):
  deadline = time.monotonic() + 10
  while not check():
    assert time.monotonic() < deadline
    time.sleep(0.005)


def test_rows_go_many_at_a_time():
  replay = _replay(_pairs(), rows=4)
  feed = _feed(replay)
  rows = testing.stream([9])
  for row in rows[:3]:
    feed([row])
    assert feed.writer.flush(0.0) is None
  assert replay.courier.calls == 0
  feed(rows[3:4])
  assert feed.writer.flush(0.0) is None
  _eventually(lambda: _size(replay) == 3)
  assert replay.courier.calls == 1


def test_a_row_does_not_wait_for_others_for_long():
  replay = _replay(_pairs(), rows=50)
  feed = _feed(replay)
  feed(testing.stream([], unfinished=2))
  assert feed.writer.flush(0.0) is None and replay.courier.calls == 0
  time.sleep(0.06)
  assert feed.writer.flush(0.0) is None
  _eventually(lambda: _size(replay) == 1)


def test_streams_of_a_node_go_together():
  replay = _replay(_pairs(), rows=6)
  feeds = [_feed(replay) for _ in range(3)]
  for i in range(4):
    for number, feed in enumerate(feeds):
      feed(testing.stream([9], start=100 * number)[i : i + 1])
    assert all(feed.writer.flush(1.0) is None for feed in feeds)
  _eventually(lambda: _size(replay) == 9)
  assert replay.courier.calls == 2


def test_a_call_that_comes_twice_counts_once():
  replay = _replay(_pairs(), rows=3)
  replay.courier.twice = True
  feed = _feed(replay)
  feed(testing.stream([4]))
  assert feed.settle() is None
  feed(testing.stream([4], start=100))
  assert feed.settle() is None
  assert _size(replay) == 8


def test_who_writes_waits_while_there_is_no_room_and_goes_on_at_once():
  limiter = tables.sample_to_insert_ratio(1.0, 2, 2.0)  # The two sides run apart by two.
  replay = _replay(_pairs(limiter), rows=1)
  feed, rows = _feed(replay), testing.stream([], unfinished=50)
  written = 0
  while (blocked := feed.writer.flush(0.05)) is None:
    feed(rows[written : written + 1])
    written += 1
  assert 'the rate limiter holds inserts' in blocked.reason
  assert 4 <= _size(replay) <= 6
  reader, waited = replay.reader(_pairs(limiter), 4), []

  def wait():
    begun = time.monotonic()
    waited.append((feed.writer.flush(10.0), time.monotonic() - begun))

  thread = threading.Thread(target=wait)
  thread.start()
  time.sleep(0.2)
  begun = time.monotonic()
  testing.read(reader)
  thread.join()
  assert waited[0][0] is None
  assert time.monotonic() - begun < 0.3  # It does not look now and then, it is told.


def test_who_writes_into_a_queue_waits_for_each_of_its_items():
  table = tables.queue(items.Items(3, period=2, end='continue'), 2)
  replay = _replay(table, rows=50)
  feed, rows = _feed(replay), testing.stream([], unfinished=9)
  for row in rows[:5]:
    feed([row])
    last = feed.writer.flush(0.2)
  assert last is not None and _size(replay) == 2  # The item is there before anybody acts again, and it is full.
  testing.read(replay.reader(table, 1))
  assert feed.writer.flush(10.0) is None


def test_a_reader_waits_for_rows():
  replay = _replay(_pairs())
  reader = replay.reader(_pairs(), 1)
  assert isinstance(reader.read(0.01, 0), core.Blocked) and reader.exhausted()
  feed = _feed(replay)
  feed(testing.stream([3]))
  threading.Timer(0.1, feed.settle).start()
  begun = time.monotonic()
  testing.read(reader, wait=10.0)
  assert time.monotonic() - begun < 5 and not reader.exhausted()


def test_a_node_that_is_made_anew_writes_in_the_place_of_the_one_before():
  replay = _replay(_pairs())
  before, rows = _feed(replay), testing.stream([], unfinished=4)
  before(rows)
  assert before.settle() is None and _size(replay) == 3
  after = _feed(replay, replay.visit('actor-0'))
  after(testing.stream([2], start=50))
  assert after.settle() is None and _size(replay) == 5
  before(rows[:1])
  with pytest.raises(remote.RemoteError, match='actor-0 was made anew'):
    before.settle()
  other = _feed(replay, replay.visit('actor-1'))
  other(testing.stream([2], start=80))
  assert other.settle() is None and _size(replay) == 7


def test_a_node_that_is_made_anew_leaves_no_rows_behind():
  replay = testing.NumpyBackend().replay([_pairs(max_size=2)])
  beside = testing.Beside(replay, [_pairs(max_size=2)], 1)
  for life in range(20):
    feed = _feed(beside, beside.visit('actor-0'))
    feed(testing.stream([], unfinished=4, start=10 * life))
    assert feed.settle() is None
  assert replay._store.used <= 8


def test_a_learner_that_does_not_answer_is_said_not_to(monkeypatch):
  monkeypatch.setattr(visiting, '_SILENT_SECONDS', 0.1)
  monkeypatch.setattr(visiting, '_HOLD_SECONDS', 0.1)
  replay = _replay(_pairs(), rows=1)
  feed = _feed(replay)
  with replay.hosted.lock:
    feed(testing.stream([], unfinished=1))
    assert feed.writer.flush(0.0) is None
    feed(testing.stream([], unfinished=1))
    time.sleep(0.3)
    assert 'does not answer' in feed.writer.flush(0.01).reason
  assert feed.settle() is None


def test_a_call_that_does_not_come_through_is_made_again():
  replay = _replay(_pairs(), rows=3)
  replay.courier.broken = 2  # One is lost on its way there, the other on its way back.
  feed = _feed(replay)
  feed(testing.stream([4]))
  while (blocked := feed.settle()) is not None:
    assert 'does not answer' in blocked.reason
  assert _size(replay) == 4 and replay.courier.broken == 0


def test_who_waits_is_let_go_when_it_is_closed():
  limiter = tables.sample_to_insert_ratio(1.0, 1, 1.0)
  replay = _replay(_pairs(limiter), rows=1)
  feed = _feed(replay)
  for _ in range(2):
    feed(testing.stream([], unfinished=6))
    blocked = feed.writer.flush(0.1)
  assert blocked is not None
  begun = time.monotonic()
  replay.hosted.close()
  replay.courier.close()
  assert time.monotonic() - begun < 0.4


def test_priorities_reach_the_table():
  table = tables.Table(items.Items(2), tables.min_size(1), 10, sampler=tables.Prioritized(1.0))
  replay = _replay(table)
  feed = _feed(replay)
  feed(testing.stream([3]))
  assert feed.settle() is None
  reader = replay.reader(table, 64)
  read = testing.read(reader)
  reader.write_priorities(read, np.where(testing.facts(read)['key'] == 1, 1.0, 0.0))
  assert set(testing.facts(testing.read(reader))['key'].tolist()) == {1}


@pytest.mark.parametrize(
  'limiter, nodes, rows',
  [
    (tables.min_size(1), 1, 64),
    (tables.sample_to_insert_ratio(8.0, 1000, 800.0), 1, 10),
    (tables.sample_to_insert_ratio(8.0, 1000, 800.0), 4, 2),
    (tables.sample_to_insert_ratio(8.0, 1000, 800.0), 100, 1),
  ],
)
def test_nodes_run_ahead_by_little_of_what_a_limiter_allows(limiter, nodes, rows):
  assert visiting.rows_at_a_time([_pairs(limiter)], nodes) == rows
