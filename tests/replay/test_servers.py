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
    # 3 items for 2.5 are 1 sample more; and bounds that are 2 apart are moved to spi + 1 = 3, as far to both sides.
    ((2.0, 10, 16.0, 24.0), (2.0, 3, 4.5, 7.5)),
    ((1.0, 1, 0.0, 64.0), (1.0, 1, 0.75, 16.75)),
    ((1.0, 8, -sys.float_info.max, sys.float_info.max), (1.0, 2, -sys.float_info.max, sys.float_info.max)),
    ((4.0, 8, -sys.float_info.max, 40.0), (4.0, 2, -sys.float_info.max, 10.0)),
  ],
)
def test_each_of_four_is_paced_as_all_are(whole, each):
  assert tables.Limiter(*whole).shared(4) == tables.Limiter(*each)


@pytest.mark.parametrize('count', [2, 3, 4, 7])
def test_actors_and_learner_that_share_servers_equally_come_as_far_as_with_one(count):
  """Whatever one server allows, so many allow together: the ratio of samples to inserts, within what it may be off."""
  whole = tables.tolerant_ratio(samples_per_insert=4.0, tolerance=0.1, min_size=50, batch_size=28)
  one = whole.shared(count)
  inserts = samples = 0
  for _ in range(400):  # Each inserts whatever it may; then one batch.
    while one.can_insert(inserts, samples, inserts):
      inserts += 1
    assert one.can_sample(inserts, samples, inserts)
    samples += 28 // count
  assert abs(count * samples / (count * inserts - 50) / whole.samples_per_insert - 1) < 0.05


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
  ],
)
def test_what_several_can_not_share_is_in_one(count, sample, users, says):
  described = [_TABLE, _EPISODES, _QUEUE]
  with pytest.raises(errors.UserError, match=says):
    servers.check(count, [sample], described, users)
  servers.check(1, [sample], described, users)
  servers.check(4, [sources.Sample('replay', 8)], described, [])


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


def test_a_batch_is_of_all_servers(backend):
  _, _, replay = _two(backend, (5, 5))
  reader = replay.reader(_TABLE, 6)
  batches = [_numbers(reader, testing.read(reader)) for _ in range(40)]
  firsts = [[number < 1000 for number in batch] for batch in batches]
  assert all(first == sorted(first, reverse=True) for first in firsts)  # in the order of the servers
  share = np.mean(firsts)  # Equal, but where one of Reverb's was busy, as at the start.
  assert share == 0.5 if backend.name == 'numpy' else 0.25 < share < 0.75
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
  seen = [_numbers(reader, testing.read(reader)) for _ in range(40)]
  assert 0.25 < np.mean([[number < 1000 for number in batch] for batch in seen]) <= 0.5


def test_who_waits_is_told_for_what_and_its_parts_are_kept(backend):
  limiter = tables.tolerant_ratio(samples_per_insert=1.0, tolerance=0.5, min_size=4, batch_size=6)
  table = dataclasses.replace(_TABLE, limiter=limiter)
  _, feeds, replay = _two(backend, (3, 3), table)
  reader = replay.reader(table, 6)
  batches = 0
  while not isinstance(answer := reader.read(0.5, 0), core.Blocked):
    batches += 1
  assert "to insert into 'replay'" in answer.reason and batches >= 1
  assert [reader.exhausted() for _ in range(2)][-1]
  feeds[1](testing.stream([5], start=1003))  # Nobody writes to the first one any more.
  assert feeds[1].settle() is None
  while not isinstance(answer := reader.read(0.5, 0), core.Blocked):
    batches += 1
  usage = replay.usage()['replay']
  assert (usage.inserted, batches) == (11, int(usage.sampled) // 6)
  assert [reader.exhausted() for _ in range(2)][-1]


def test_priorities_go_to_the_server_that_an_item_came_from(backend):
  _, _, replay = _two(backend, (2, 2))
  reader = replay.reader(_TABLE, 64)
  batch = testing.read(reader)
  # Of two items in each server the first one loses its priority, also where both servers have items of one key.
  reader.write_priorities(batch, np.array([float(number % 1000 != 0) for number in _numbers(reader, batch)]))
  seen = None
  for _ in range(20):  # What was read ahead is of the old priorities, and Reverb's are written a little later.
    seen = set(_numbers(reader, testing.read(reader)))
  assert seen == {1, 1001}


def test_what_the_learner_saves_of_it_is_taken_by_as_many(backend):
  _, _, replay = _two(backend, (2, 2))
  reader = replay.reader(_TABLE, 4)
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
