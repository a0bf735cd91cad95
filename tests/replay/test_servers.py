"""Several replay servers, each with its part of every table, of the actors and of each batch."""

import dataclasses
import math
import sys

import numpy as np
import pytest

from tests.replay import replay_testing as testing
from tfacme import core, errors
from tfacme.replay import items, servers, sources, tables

_PAIRS = items.Items(2)
_TABLE = tables.Table(_PAIRS, tables.min_size(4), 100, sampler=tables.Prioritized(1.0))


def test_names_and_what_a_checkpoint_has(tmp_path):
  assert servers.names(1) == ['replay'] and servers.names(3) == ['replay-0', 'replay-1', 'replay-2']
  for name in ('replay-1', 'replay-0', 'learner', 'replayed', 'replay-x'):
    (tmp_path / name).mkdir()
  assert servers.saved(str(tmp_path)) == ['replay-0', 'replay-1']
  assert servers.saved(None) == []


@pytest.mark.parametrize(
  'whole, each',
  [
    # A quarter of everything: 100 items give 800 samples, of which 40 may be off; 25 give 200, and 10 may.
    ((8.0, 100, 760.0, 840.0), (8.0, 25, 190.0, 210.0)),
    # 3 items for 2.5 are 1 sample more; and bounds that are 2 apart are moved to spi + 2 = 4, as far to both sides.
    ((2.0, 10, 16.0, 24.0), (2.0, 3, 4.0, 8.0)),
    ((1.0, 1, 0.0, 64.0), (1.0, 1, 0.75, 16.75)),
    ((1.0, 8, -sys.float_info.max, sys.float_info.max), (1.0, 2, -sys.float_info.max, sys.float_info.max)),
    ((4.0, 8, -sys.float_info.max, 40.0), (4.0, 2, -sys.float_info.max, 10.0)),
  ],
)
def test_each_of_four_is_paced_as_all_are(whole, each):
  assert tables.Limiter(*whole).shared(4) == tables.Limiter(*each)


@pytest.mark.parametrize('count', [2, 3, 4, 7])
@pytest.mark.parametrize('ratio, tolerance', [(4.0, 0.1), (1.1, 0.0), (0.3, 0.01), (7.7, 0.0)])
def test_actors_and_learner_that_share_servers_come_as_far_as_with_one(count, ratio, tolerance):
  """Whatever one server allows, so many allow together: the ratio of samples to inserts, within what it may be off."""
  whole = tables.tolerant_ratio(samples_per_insert=ratio, tolerance=tolerance, min_size=50, batch_size=28)
  one = whole.shared(count)
  inserts = samples = 0
  for _ in range(400):  # Each inserts whatever it may; then a part of a batch, item by item.
    for _ in range(28 // count):
      while one.can_insert(inserts, samples, inserts):
        inserts += 1
      assert one.can_sample(inserts, samples, inserts)
      samples += 1
  assert abs(samples / one.paced(inserts) / ratio - 1) < 0.1


def test_parts_of_a_table_have_all_of_it():
  table = tables.Table(_PAIRS, tables.min_size(10), 101)
  part = servers.part(table, 4)
  assert (part.max_size, part.limiter.min_size, part.name) == (26, 3, table.name)


_EPISODES = tables.Table(items.Items(None), tables.min_size(4), 100, name='episodes')
_QUEUE = tables.queue(_PAIRS, 4, name='queue')


@pytest.mark.parametrize(
  'count, sample, users, says',
  [
    (3, sources.Sample('replay', 8), [], 'a part of a batch, and one of 8 can not be shared out among 3'),
    (2, sources.Sample('episodes', 8), [], "'episodes' has whole episodes, which are in one replay server"),
    (2, sources.Sample('queue', 8), [], "'queue' has a queue, which are in one replay server"),
    (2, sources.Sample('replay', 8), ['prefill'], 'Tables that prefill uses, beside the actors, are in one'),
    (2, sources.Sample('worn', 6), [], "The queue 'worn' holds at most 2 items, less than a batch of 3"),
  ],
)
def test_what_several_can_not_share_is_in_one(count, sample, users, says):
  worn = tables.Table(_PAIRS, tables.Limiter(4.0, 2, 0.0, 9.0), 20, max_times_sampled=4, name='worn')
  described = [_TABLE, _EPISODES, _QUEUE, worn]
  with pytest.raises(errors.UserError, match=says):
    servers.check(count, [sample], described, users)
  servers.check(1, [sample], described, users)
  servers.check(4, [sources.Sample('replay', 8)], described, [])


def test_tables_that_pace_one_learner_are_in_one():
  paced = [dataclasses.replace(_TABLE, limiter=tables.Limiter(1.0, 4, 0.0, 64.0), name=name) for name in 'ab']
  samples = [sources.Sample(name, 8) for name in 'ab']
  with pytest.raises(errors.UserError, match='Several tables pace the learner, which are in one replay server'):
    servers.check(2, samples, paced, [])
  servers.check(2, samples[:1], paced, [])


def _two(backend, lengths, table=_TABLE):
  """Two servers, whose rows are numbered from 0 and from 1,000, and the learner's view of both."""
  part = servers.part(table, 2)
  replays = [backend.replay([part]) for _ in range(2)]
  feeds = [testing.Feed(replay.writer(), replay.codec) for replay in replays]
  for start, feed, length in zip((0, 1000), feeds, lengths):
    feed(testing.stream([length], start=start))
    feed.settle()
  return replays, feeds, servers.joined(replays, [table])


def _numbers(reader, batch):
  return [testing.numbers(item)[0] for item in testing.unpack(reader.codec, batch)]


def _warm(reader):
  """Reads until each server has given a part: one of Reverb's takes its time at first."""
  seen = set()
  while len(seen) < 2:
    seen |= {number >= 1000 for number in _numbers(reader, testing.read(reader))}


def test_a_batch_is_of_all_servers(backend):
  _, _, replay = _two(backend, (5, 5))
  reader = replay.reader(_TABLE, 6)
  _warm(reader)
  batches = [_numbers(reader, testing.read(reader)) for _ in range(40)]
  firsts = [[number < 1000 for number in batch] for batch in batches]
  assert all(first == sorted(first, reverse=True) for first in firsts)  # in the order of the servers
  # Equal parts, but where one of Reverb's was busy for a moment.
  equal = [sum(first) == 3 for first in firsts]
  assert all(equal) if backend.name == 'numpy' else np.mean(equal) > 0.2
  usage = replay.usage()['replay']
  assert (usage.size, usage.max_size, usage.inserted) == (10, 100, 10)
  assert usage.sampled >= 240


def test_where_a_server_has_nothing_the_others_give_its_part(backend):
  _, feeds, replay = _two(backend, (1, 5))  # of which one is too little
  reader = replay.reader(_TABLE, 6)
  for _ in range(3):
    batch = testing.read(reader)
    assert all(number >= 1000 for number in _numbers(reader, batch))
    reader.write_priorities(batch, np.arange(6, dtype=np.float64))
  feeds[0](testing.stream([4], start=1))
  feeds[0].settle()
  _warm(reader)


def test_a_part_waits_for_the_others(backend):
  once = dataclasses.replace(_TABLE, limiter=tables.min_size(2), sampler=tables.Uniform(), max_times_sampled=1)
  _, feeds, replay = _two(backend, (3, 0), once)
  reader = replay.reader(once, 6)
  blocked = reader.read(2.0, 0)  # with the part of the first server, whose items are used up
  assert "to insert into 'replay'" in blocked.reason
  feeds[1](testing.stream([3], start=1000))
  feeds[1].settle()
  assert sorted(_numbers(reader, testing.read(reader))) == [0, 1, 2, 1000, 1001, 1002]
  assert testing.starved(reader)
  assert [reader.exhausted() for _ in range(2)][-1]


def test_a_run_is_paced_by_what_each_server_allows(backend):
  limiter = tables.tolerant_ratio(samples_per_insert=1.0, tolerance=0.5, min_size=4, batch_size=6)
  table = dataclasses.replace(_TABLE, limiter=limiter)
  _, feeds, replay = _two(backend, (3, 3), table)
  reader, batches = replay.reader(table, 6), 0
  for start in range(3, 40, 6):  # Nobody writes to the first one any more.
    while not isinstance(reader.read(1.0, 0), core.Blocked):
      batches += 1
    feeds[1](testing.stream([6], start=1000 + start))
    assert feeds[1].settle() is None
  usage = replay.usage()['replay']
  assert usage.inserted == 48 and 0 <= usage.sampled - 6 * batches <= 18  # with what is read ahead
  assert usage.samples_per_insert == pytest.approx(1.0, rel=0.5) and batches >= 4


def test_priorities_go_to_the_server_that_an_item_came_from(backend):
  _, _, replay = _two(backend, (2, 2))
  reader = replay.reader(_TABLE, 64)
  _warm(reader)
  # Of two items in each server the first one loses its priority, also where both servers have items of one key.
  last = []
  for _ in range(60):  # What was read ahead is of the old priorities, and Reverb's are written a little later.
    batch = testing.read(reader)
    last = [*last[-9:], set(_numbers(reader, batch))]
    reader.write_priorities(batch, np.array([float(number % 1000 != 0) for number in _numbers(reader, batch)]))
  assert last[-1] <= {1, 1001} and {1, 1001} <= set().union(*last)


def test_what_the_learner_saves_of_it_is_taken_by_as_many(backend):
  _, _, replay = _two(backend, (2, 2))
  reader = replay.reader(_TABLE, 4)
  _warm(reader)
  batch = testing.read(reader)
  reader.write_priorities(batch, np.array([5.0, 5.0, 7.0, 7.0]))
  again = replay.reader(_TABLE, 4)
  again.set_state(reader.state())
  assert again.state() == reader.state()
  again.set_state([1.0])  # of another number
  again.set_state(None)
  assert again.state() == reader.state()


def test_one_server_is_itself_and_none_is_nothing():
  replay = testing.NumpyBackend().replay([_TABLE])
  assert servers.joined([replay], [_TABLE]) is replay
  assert servers.joined([], []) is None
  assert math.isfinite(replay.usage()['replay'].size)
