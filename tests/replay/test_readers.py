"""Sources, opened: replay, recorded data, and what is made of both."""

import collections
import json
import threading
import tracemalloc
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import tree
from dm_env import specs as dm_specs

from tests.replay import replay_testing as testing
from tfacme import core, datasets, errors
from tfacme.replay import blocks, items, packing, readers, recorded, resolving, sources, tables

PAIRS = items.Items(2)


class Recorded:
  """The least that a data set is."""

  def __init__(self, lengths, start=0, spec=testing.SPEC):
    self._episodes = []
    for length in lengths:
      rows = testing.stream([length], start=start)
      self._episodes.append(tree.map_structure(lambda *leaves: np.stack(leaves), *rows))
      start += len(rows)
    self._spec = spec
    self.checked = 0

  def episodes(self, seed):
    """All of them, in an order that the seed decides."""
    for i in np.random.default_rng(seed).permutation(len(self._episodes)):
      yield self._episodes[i]

  def spec(self):
    """Of one row."""
    return self._spec

  def check(self):
    """Is asked before a run."""
    self.checked += 1


class Room(NamedTuple):
  """A run's replay and data."""

  room: readers.Resources
  given: resolving.Given

  @property
  def replay(self):
    return self.room.replay


def _given(dataset=None, described=(), step_spec=testing.SPEC, offline=None):
  def fit(data, rewards):
    del rewards
    data.check()
    return data

  return resolving.Given(described, step_spec, dataset, not described if offline is None else offline, fit)


def _room(dataset=None, described=(), seed=0, step_spec=testing.SPEC, offline=None):
  given = _given(dataset, described, step_spec, offline)
  replay = testing.NumpyBackend().replay(described) if described and not given.offline else None
  return Room(readers.Resources(replay, described, seed), given)


def _open(source, room, name='source'):
  return readers.open_source(resolving.resolve(source, room.given), room.room, name)


def _fill(room, transitions, start=1000):
  feed = testing.Feed(room.replay.writer(), room.replay.codec)
  feed(testing.stream([transitions], start=start))


def _read(opened, now=0):
  read = opened.read(60.0, now)
  assert not isinstance(read, core.Blocked), read
  return read


def _graph(opened):
  """What unpacks a batch, compiled for the specs that the source promises."""
  return tf.function(opened.unpack, input_signature=[opened.specs()])


def _tensors(read):
  return tf.nest.map_structure(tf.convert_to_tensor, read.packed)


def _firsts(batch):
  return batch.steps.extras['number'][:, 0].numpy().tolist()


# --- Recorded data ---

RULES = [
  PAIRS,
  items.Items(4, observations='ends'),
  items.Items(3, period=2, end='drop', once=('state',)),
  items.Items(4, observations='ends', stack=4),
  items.Items(5, period=2, stack=3),
  items.Items(5, period=3, end='drop', stack=2),
]
LENGTHS = [3, 1, 7, 2, 5, 5, 9]


@pytest.mark.parametrize('rule', RULES)
@pytest.mark.parametrize('batch_size, shuffle', [(1, 1), (4, 3), (5, 10**6), (50, 300)])
def test_every_item_comes_once_in_each_epoch(rule, batch_size, shuffle):
  dataset = Recorded(LENGTHS)
  opened = _open(sources.Data(rule, batch_size, shuffle_bytes=shuffle), _room(dataset))
  rows = testing.stream(LENGTHS)
  wanted = {testing.numbers(item)[0]: item for item in items.cut(rows, rule)}
  got = []
  while len(got) < 3 * len(wanted):
    got += testing.unpack(opened._reader.codec, _read(opened).token, rule)
  orders = []
  for epoch in range(3):
    ours = got[epoch * len(wanted) : (epoch + 1) * len(wanted)]
    orders.append([testing.numbers(item)[0] for item in ours])
    assert sorted(orders[-1]) == sorted(wanted)
    for item in ours:
      testing.same(item, wanted[testing.numbers(item)[0]])
  assert orders[0] != sorted(orders[0])
  assert orders[0] != orders[1] != orders[2]


def test_items_are_shuffled_beyond_their_episodes():
  opened = _open(sources.Data(PAIRS, 32), _room(Recorded([8] * 4)))
  (order,) = [_read(opened).token]
  episodes = [testing.numbers(item)[0] // 9 for item in testing.unpack(opened._reader.codec, order)]
  assert sum(a != b for a, b in zip(episodes, episodes[1:])) > 12  # In order there would be 3 changes.


def _some(opened, count=12):
  return [_read(opened).packed[0]['rest'].tobytes() for _ in range(count)]


def test_what_is_read_is_a_function_of_the_seed_and_the_place():
  def some(seed, name='source'):
    source = sources.Data(PAIRS, 3, shuffle_bytes=200)
    return _some(_open(source, _room(Recorded(LENGTHS), seed=seed), name))

  assert some(1) == some(1)
  assert some(1) != some(2)
  assert some(1) != some(1, 'other')


def test_who_waits_only_so_long_is_told_that_a_block_is_being_read():
  may = threading.Event()

  class Slow(Recorded):
    def episodes(self, seed):
      may.wait(10)
      return super().episodes(seed)

  source = sources.Data(PAIRS, 5, shuffle_bytes=300)
  opened, plain = _open(source, _room(Slow(LENGTHS))), _open(source, _room(Recorded(LENGTHS)))
  for _ in range(2):
    assert opened.read(0.001, 0) == core.Blocked('recorded data to be read', passes=True) and not opened.exhausted()
  assert opened.state() == plain.state()
  may.set()
  assert _some(opened) == _some(plain)
  opened.close()
  assert _some(opened) == _some(plain)


def _several():
  """Data whose epochs differ in length: one set is read until the other one was read."""
  return datasets.several([Recorded([9, 1, 9, 1, 9]), Recorded([1, 12, 1], start=100)], shares=[0.5, 0.5])


@pytest.mark.parametrize('count', [0, 1, 10, 25, 60])
@pytest.mark.parametrize('shuffle', [300, 10**6])
@pytest.mark.parametrize('dataset', [lambda: Recorded(LENGTHS), _several])
def test_reading_goes_on_from_its_state(dataset, count, shuffle):
  def opened():
    return _open(sources.Data(PAIRS, 5, shuffle_bytes=shuffle), _room(dataset()))

  first, second = opened(), opened()
  _some(first, count)
  _some(second, 7)
  second.set_state(json.loads(json.dumps(first.state())))
  assert second.state() == first.state()
  assert _some(first) == _some(second)


def test_a_state_that_is_saved_while_a_block_is_awaited_counts_no_item_of_it():
  """Blocks are smaller than batches, so that what is left of several goes into one batch."""
  may = threading.Semaphore(0)

  class Slow(Recorded):
    def episodes(self, seed):
      for episode in super().episodes(seed):
        may.acquire(timeout=10)
        yield episode

  source = sources.Data(PAIRS, 20, shuffle_bytes=1)  # An epoch of 32 items ends in the middle of a batch.
  wanted = _some(_open(source, _room(Recorded(LENGTHS))), 12)
  opened = _open(source, _room(Slow(LENGTHS)))
  for _ in range(4 * len(LENGTHS)):
    read = opened.read(0.01, 0)
    if isinstance(read, core.Blocked):
      second = _open(source, _room(Recorded(LENGTHS)))
      second.set_state(json.loads(json.dumps(opened.state())))
      count = opened.state()[0]
      assert _some(second, 2) == wanted[count : count + 2]
      may.release()
  assert opened.state()[0] > 2
  may.release(1000)
  opened.close()


def test_epochs_of_a_single_block_are_skipped_without_a_look(monkeypatch):
  shuffled = []
  shuffle = recorded.DataReader._shuffled
  monkeypatch.setattr(recorded.DataReader, '_shuffled', lambda self, *args: shuffled.append(1) or shuffle(self, *args))
  opened = _open(sources.Data(PAIRS, 5), _room(Recorded(LENGTHS)))
  opened.set_state((10**6, None))
  _some(opened, 1)
  assert len(shuffled) < 10
  opened.close()


def test_what_goes_on_reads_no_epoch_before_its_own():
  """However long a run was: only the blocks before its place in that epoch are decoded once more."""
  read = []

  class Counted(Recorded):
    def episodes(self, seed):
      read.append(seed)
      return super().episodes(seed)

  source = sources.Data(PAIRS, 5, shuffle_bytes=300)
  first, second = (_open(source, _room(Counted(LENGTHS))) for _ in range(2))
  _some(first, 100)  # 500 items: 16 epochs of 32, or a little less
  assert len(read) > 10
  _, (epoch, _) = first.state()
  own, read[:] = read[epoch], []
  second.set_state(first.state())
  assert _some(second, 1) == _some(first, 1)
  assert read[0] == own and epoch > 10


def test_data_larger_than_a_block_is_read_in_the_memory_of_two():
  # Wide rows: beside them the memory of their numbers is nothing.
  wide = testing.SPEC._replace(observation=dm_specs.Array((512,), np.float32))
  episode = tree.map_structure(lambda leaf: np.zeros((100, *leaf.shape), leaf.dtype), wide)
  episode.last[-1] = True
  data = Recorded([], spec=wide)
  data.episodes = lambda seed: iter([episode] * 60)
  block = 1 << 21
  opened = _open(sources.Data(PAIRS, 8, shuffle_bytes=block), _room(data, step_spec=wide))
  rows = 60 * 100 * sum(layout.bytes for layout in opened._reader.codec.columns.values())
  assert rows > 5 * block
  tracemalloc.start()
  try:
    for _ in range(2 * 60 * 99 // 8):
      _read(opened)
    assert tracemalloc.get_traced_memory()[1] < 2.5 * block  # two, and pieces of a sixteenth that are on their way
  finally:
    tracemalloc.stop()
    opened.close()


def test_the_memory_of_a_block_is_filled_again():
  codec = packing.Codec.of(testing.SPEC, [PAIRS])
  found = {}
  for reuses in (False, True):
    spare, memories, found[reuses] = [], [], []
    episodes = Recorded([9, 9, 5, 40, 9, 3, 9]).episodes(0)
    for block in blocks.of_episodes(episodes, codec, PAIRS, 12, lambda: None, spare):
      found[reuses].append({name: column.tobytes() for name, column in block.columns.items()})
      memories.append(block.memory)
      spare[:] = [block.memory] if reuses else []
  assert found[True] == found[False] and len(found[True]) > 4
  assert np.shares_memory(memories[0]['rest'], memories[1]['rest'])


def test_a_batch_of_recorded_items_says_how_many_it_is_from():
  opened = _open(sources.Data(PAIRS, 4, shuffle_bytes=1000), _room(Recorded([3, 4, 1])))
  read = _read(opened, now=70)
  batch = _graph(opened)(_tensors(read))
  assert batch.info.table_size.numpy().tolist() == [8] * 4
  np.testing.assert_allclose(batch.info.probability, 1 / 8)
  assert batch.info.age.numpy().tolist() == [-1] * 4  # Recorded data has no age.
  opened.write_priorities(read.token, np.ones(4))  # There are none: that is no error.


def test_recorded_extras_are_those_of_the_data():
  ours = testing.SPEC._replace(extras=())
  opened = _open(sources.Data(PAIRS, 4), _room(Recorded([3]), step_spec=ours))
  assert set(_graph(opened)(_tensors(_read(opened))).steps.extras) == {'state', 'logits', 'number'}


@pytest.mark.parametrize('lengths', [[], [2, 3, 1]])
def test_data_without_a_single_item_is_an_error_not_an_endless_search(lengths):
  opened = _open(sources.Data(items.Items(5, end='drop'), 4), _room(Recorded(lengths)))
  with pytest.raises(errors.UserError, match='no item of 5 rows'):
    opened.read(60.0, 0)


def test_a_batch_may_be_larger_than_the_data():
  opened = _open(sources.Data(PAIRS, 10), _room(Recorded([2, 1])))
  numbers = [testing.numbers(item)[0] for item in testing.unpack(opened._reader.codec, _read(opened).token)]
  assert len(numbers) == 10
  assert sorted(numbers[:3]) == sorted(numbers[3:6]) == sorted(numbers[6:9]) == [0, 1, 3]


# --- Sources of replay ---


def _table(name='replay', sampler=tables.Prioritized(1.0)):
  return tables.Table(PAIRS, tables.min_size(2), 100, name, sampler)


def test_sample_takes_the_only_table_and_waits_for_it():
  room = _room(described=[_table()])
  opened = _open(sources.Sample(None, 4), room)
  blocked = opened.read(0.0, 0)
  assert isinstance(blocked, core.Blocked) and "'replay'" in blocked.reason
  _fill(room, 3)
  batch = _graph(opened)(_tensors(_read(opened)))
  assert batch.steps.reward.shape == (4, 2)
  assert set(_firsts(batch)) <= {1000, 1001, 1002}
  assert opened.state() is None


@pytest.mark.parametrize('priorities', [[1.0, -0.5], [1.0, np.nan]])
def test_priorities_that_are_none_are_refused(priorities):
  room = _room(described=[_table()])
  _fill(room, 3)
  opened = _open(sources.Sample(None, 2), room)
  with pytest.raises(ValueError, match='Priorities have to be numbers of at least 0'):
    opened.write_priorities(_read(opened).token, np.array(priorities))


def _rewards_of_seven(batch):
  return batch._replace(steps=batch.steps._replace(reward=tf.fill(tf.shape(batch.steps.reward), 7.0)))


def test_map_rewrites_batches_in_the_graph():
  room = _room(Recorded(LENGTHS))
  opened = _open(sources.Map(_rewards_of_seven, sources.Data(PAIRS, 4)), room)
  plain = _open(sources.Data(PAIRS, 4), room)
  read = _read(opened)
  batch = _graph(opened)(_tensors(read))
  assert set(batch.steps.reward.numpy().ravel().tolist()) == {7.0}
  assert _firsts(batch) == _firsts(_graph(plain)(_tensors(_read(plain))))
  assert opened.state() == plain.state() == (1, None)


# --- Mix ---


def _mix(shares, batch_size=20):
  return sources.Mix(dict(shares), batch_size)


def test_mix_takes_its_shares_and_numbers_them():
  room = _room(Recorded(LENGTHS), [_table()])
  _fill(room, 5)
  source = _mix([(sources.Sample('replay', 1), 0.7), (sources.Data(PAIRS, 1), 0.3)])
  opened = _open(source, room)
  batch = _graph(opened)(_tensors(_read(opened)))
  assert batch.info.source.numpy().tolist() == [0] * 14 + [1] * 6
  assert all(number >= 1000 for number in _firsts(batch)[:14])
  assert all(number < 1000 for number in _firsts(batch)[14:])
  assert batch.mask.shape == (20, 2)


def test_mix_gives_each_table_its_own_priorities():
  described = [_table('a'), _table('b')]
  room = _room(Recorded(LENGTHS), described)
  _fill(room, 2)
  parts = [(sources.Sample('a', 1), 0.25), (sources.Data(PAIRS, 1), 0.25), (sources.Sample('b', 1), 0.5)]
  opened = _open(_mix(parts), room)
  read = _read(opened)
  batch = _graph(opened)(_tensors(read))
  firsts = np.array(_firsts(batch))
  opened.write_priorities(read.token, np.where(firsts == 1000, 3.0, 1.0) * np.where(np.arange(20) < 10, 1.0, 3.0))
  # In 'a' priorities are 3 to 1, and in 'b' 9 to 3.
  facts = testing.facts(testing.read(room.replay.reader(described[0], 64)))
  assert {round(p, 4) for p in facts['probability'].tolist()} == {0.75, 0.25}
  state = testing.state(room.replay)
  assert sorted(state['a/priorities']) == [1, 3]
  assert sorted(state['b/priorities']) == [3, 9]


@pytest.mark.parametrize(
  'shares, batch_size, sizes',
  [([0.5, 0.5], 7, [4, 3]), ([1 / 3, 1 / 3, 1 / 3], 10, [3, 3, 4]), ([1.0], 5, [5]), ([0.01, 0.99], 100, [1, 99])],
)
def test_the_parts_of_a_mix_make_up_the_batch(shares, batch_size, sizes):
  source = _mix([(sources.Sample(str(i), 1), share) for i, share in enumerate(shares)], batch_size)
  assert [part.batch_size for part in source.parts] == sizes


@pytest.mark.parametrize(
  'make, message',
  [
    (lambda: _mix([(sources.Sample('a', 1), 0.5), (sources.Sample('b', 1), 0.4)]), 'add up to 0.9, and have to'),
    (lambda: sources.Mix({}, 5), 'add up to 0'),
    (
      lambda: _mix([(sources.Sample('a', 1), 0.01), (sources.Sample('b', 1), 0.99)]),
      'a part without an item; make the batch larger',
    ),
    (lambda: sources.Sample('a', 0), 'batch_size is 0'),
    (lambda: sources.Data(PAIRS, -1), 'batch_size is -1'),
    (lambda: sources.Data(PAIRS, 1, shuffle_bytes=0), 'shuffle_bytes is 0'),
  ],
)
def test_sources_that_make_no_sense_are_refused(make, message):
  with pytest.raises(errors.UserError, match=message):
    make()


def test_a_part_that_was_read_waits_for_the_others_and_is_not_lost():
  room = _room(Recorded(LENGTHS), [_table()])
  source = _mix([(sources.Data(PAIRS, 1), 0.5), (sources.Sample('replay', 1), 0.5)], 8)
  opened = _open(source, room)
  plain = _open(source, _room(Recorded(LENGTHS), [_table()]))._parts[0]
  for _ in range(3):
    assert isinstance(opened.read(60.0, 0), core.Blocked)
  before = opened.state()
  _fill(room, 3)
  read = _read(opened)
  np.testing.assert_array_equal(read.packed[0][0]['rest'], _read(plain).packed[0]['rest'])
  # What was only waiting when the state was taken is read again by who goes on from it.
  other = _open(source, room)
  _read(other)
  other.set_state(json.loads(json.dumps(before)))
  np.testing.assert_array_equal(_read(other).packed[0][0]['rest'], read.packed[0][0]['rest'])
  assert other.state() == opened.state()
  assert json.loads(json.dumps(other.state())) == [[1, None], None]


# --- Together ---


def test_together_gives_batches_side_by_side():
  room = _room(Recorded(LENGTHS), [_table()])
  opened = _open(sources.Together({'expert': sources.Data(PAIRS, 3), 'agent': sources.Sample('replay', 5)}), room)
  assert isinstance(opened.read(60.0, 0), core.Blocked)
  _fill(room, 4)
  read = _read(opened)
  batches = _graph(opened)(_tensors(read))
  assert batches['agent'].steps.reward.shape == (5, 2) and batches['expert'].steps.reward.shape == (3, 2)
  assert min(_firsts(batches['agent'])) >= 1000 > max(_firsts(batches['expert']))
  opened.write_priorities(read.token, {'agent': np.full(5, 0.5), 'expert': None})
  changed = set(_firsts(batches['agent']))
  assert collections.Counter(testing.state(room.replay)['replay/priorities'].tolist()) == {
    0.5: len(changed),
    **({1.0: 4 - len(changed)} if len(changed) < 4 else {}),
  }


def test_data_in_two_places_is_shuffled_apart():
  room = _room(Recorded(LENGTHS))
  data = sources.Data(PAIRS, 10)
  opened = _open(sources.Together({'a': data, 'b': data}), room)
  read = _read(opened)
  assert read.packed['a'][0]['rest'].tobytes() != read.packed['b'][0]['rest'].tobytes()


# --- Exhausted ---


def test_sources_are_exhausted_when_one_of_their_tables_is():
  described = [_table('a', tables.Fifo()), tables.queue(PAIRS, 100, 'b')]
  room = _room(Recorded(LENGTHS), described)
  _fill(room, 5)
  data = _open(sources.Data(PAIRS, 2), room)
  endless = _open(sources.Map(_rewards_of_seven, sources.Sample('a', 2)), room)
  both = _open(sources.Together({'a': sources.Sample('a', 2), 'b': sources.Sample('b', 2)}), room)
  mixed = _open(_mix([(sources.Data(PAIRS, 1), 0.5), (sources.Sample('b', 1), 0.5)], 2), room)
  opened = (data, endless, both, mixed)
  assert [source.exhausted() for source in opened] == [False] * 4
  _read(both)
  assert [source.exhausted() for source in opened] == [False] * 4
  _read(both)  # One item of five is left in 'b'.
  assert [source.exhausted() for source in opened] == [False, False, True, False]
  _read(mixed)
  assert [source.exhausted() for source in opened] == [False, False, True, True]
  _fill(room, 2)
  assert [source.exhausted() for source in opened] == [False] * 4
