"""Replay in numpy: repeatable, saved whole, and of bounded memory."""

import dataclasses
import tracemalloc

import numpy as np
import pytest
from dm_env import specs as dm_specs
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.replay import replay_testing as testing
from tfacme import core
from tfacme.replay import items, numpy_replay, tables


def _replay(described, seed=0):
  return testing.NumpyBackend().replay(described, seed)


def _free(rule=items.Items(2), max_size=100, name='replay', sampler=tables.Uniform(), **options):
  return tables.Table(rule, tables.min_size(1), max_size, name, sampler, **options)


def _live(replay):
  """How many rows somebody holds."""
  return replay._store._used - len(replay._store._free)


def _samples(replay, table, count=10, batch_size=8):
  """(keys, probabilities, columns) of batches, as bytes."""
  reader = replay.reader(table, batch_size)
  reads = [reader.read(0.0, 5) for _ in range(count)]
  return [
    None if isinstance(read, core.Blocked) else (read.info.tobytes(), {n: c.tobytes() for n, c in read.columns.items()})
    for read in reads
  ]


def _same_state(a, b):
  assert a.keys() == b.keys()
  for name in a:
    np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    assert a[name].dtype == b[name].dtype


# --- Repeatable ---


@pytest.mark.parametrize('sampler', [tables.Uniform(), tables.Prioritized(0.7)])
def test_sampling_is_a_function_of_the_seed(sampler):
  drawn = []
  for seed in (1, 1, 2):
    replay = _replay([_free(sampler=sampler)], seed)
    testing.Feed(replay.writer(), replay.codec)(testing.stream([30]))
    drawn.append(_samples(replay, _free()))
  assert drawn[0] == drawn[1] != drawn[2]


def test_tables_of_one_replay_draw_differently():
  described = [_free(name='a'), _free(name='b')]
  replay = _replay(described)
  testing.Feed(replay.writer(), replay.codec)(testing.stream([50]))
  assert _samples(replay, described[0]) != _samples(replay, described[1])


def test_a_batch_goes_on_when_what_is_left_has_no_weight():
  table = _free(sampler=tables.Prioritized(1.0), max_times_sampled=2)
  replay = _replay([table])
  testing.Feed(replay.writer(), replay.codec)(testing.stream([3]))
  reader = replay.reader(table, 3)
  read = testing.read(reader)
  reader.write_priorities(read, np.array([1.0, 0.0, 0.0]))
  rest = testing.facts(testing.read(reader))
  # Two batches of three are all that three items give which may be taken twice.
  assert sorted([*testing.facts(read)['key'], *rest['key']]) == [0, 0, 1, 1, 2, 2] and reader.exhausted()
  assert ((rest['probability'] > 0) & (rest['probability'] <= 1)).all()


@pytest.mark.parametrize('drawn', [1, 2])
def test_priorities_of_items_that_their_own_batch_used_up_are_passed_over(drawn):
  table = _free(sampler=tables.Prioritized(1.0), max_times_sampled=1)
  replay = _replay([table])
  testing.Feed(replay.writer(), replay.codec)(testing.stream([6]))
  reader = replay.reader(table, drawn)
  left = testing.facts(testing.read(reader))['table_size'][0]
  read = testing.read(reader)
  reader.write_priorities(read, np.full(drawn, 50.0))  # Others have moved to where these items were.
  probability = testing.facts(testing.read(reader))['probability'][0]
  assert probability == pytest.approx(1 / (left - 2 * drawn))


# --- Saved and restored ---

_tables = st.builds(
  lambda rule, sampler, remover, max_size, times: _free(
    rule, max_size, sampler=sampler, remover=remover, max_times_sampled=times
  ),
  testing.rules(ends=('pad', 'drop')),
  st.sampled_from([tables.Uniform(), tables.Prioritized(0.6), tables.Fifo(), tables.Lifo()]),
  st.sampled_from([tables.Uniform(), tables.Fifo(), tables.Lifo()]),
  st.integers(1, 12),
  st.integers(0, 3),
)
_actions = st.lists(
  st.one_of(
    st.tuples(st.just('write'), st.integers(0, 1), st.integers(1, 7)),
    st.tuples(st.just('sample'), st.integers(0, 1), st.integers(1, 5)),
  ),
  max_size=25,
)


def _endless(random, start):
  """Rows of episodes of random lengths, for ever."""
  while True:
    episode = testing.stream([int(random.integers(1, 8))], start=start)
    yield from episode
    start += len(episode)


def _act(replay, described, actions, seed):
  """Does what `actions` say; gives all batches that it read."""
  rows = [_endless(np.random.default_rng(seed + i), 10_000 * i) for i in range(2)]
  feeds = [testing.Feed(replay.writer(), replay.codec) for _ in rows]
  random, read_all = np.random.default_rng(seed), []
  for what, index, count in actions:
    if what == 'write':
      feeds[index]([next(rows[index]) for _ in range(count)], version=seed)
      continue
    reader = replay.reader(described[index % len(described)], count)
    read = reader.read(0.0, 3)
    if not isinstance(read, core.Blocked):
      read_all.append((read.info.tobytes(), {n: c.tobytes() for n, c in read.columns.items()}))
      reader.write_priorities(read, random.integers(0, 4, count).astype(np.float32))
  return read_all, feeds


@given(st.lists(_tables, min_size=1, max_size=2), _actions, _actions)
@settings(max_examples=120, deadline=None, derandomize=True)
def test_a_restored_replay_is_and_does_the_same(tmp_path_factory, described, before, after):
  described = [dataclasses.replace(t, name=f'table-{i}') for i, t in enumerate(described)]
  path = str(tmp_path_factory.mktemp('checkpoint'))
  first, second = _replay(described, seed=1), _replay(described, seed=2)
  _, feeds = _act(first, described, before, seed=0)  # The writers keep the rows of unfinished episodes.
  digest = first.save(path)
  assert second.restore(path) == digest == testing.digest(second)
  _same_state(testing.state(first), testing.state(second))
  assert first.usage() == second.usage()
  # From here on both do the same: draws, evictions, priorities, counts.
  reads = [_act(replay, described, after, seed=9)[0] for replay in (first, second)]
  assert reads[0] == reads[1]
  _same_state(testing.state(first), testing.state(second))
  del feeds


def test_the_state_shows_every_difference():
  table = _free(sampler=tables.Prioritized(1.0))
  digests = set()

  def note(replay):
    digests.add(testing.digest(replay))
    return len(digests)

  replay = _replay([table])
  feed = testing.Feed(replay.writer(), replay.codec)
  assert note(replay) == 1
  feed(testing.stream([4]))
  assert note(replay) == note(replay) == 2  # Looking at it changes nothing.
  reader = replay.reader(table, 1)
  read = testing.read(reader)
  assert note(replay) == 3
  reader.write_priorities(read, np.array([2.0]))
  assert note(replay) == 4
  other = _replay([table])
  testing.Feed(other.writer(), other.codec)(testing.stream([4], start=1))
  assert note(other) == 5


def test_a_used_replay_can_go_back(tmp_path):
  table = _free(max_size=5)
  replay = _replay([table])
  testing.Feed(replay.writer(), replay.codec)(testing.stream([4]))
  state, digest = testing.state(replay), replay.save(str(tmp_path))
  testing.Feed(replay.writer(), replay.codec)(testing.stream([9]))
  assert replay.restore(str(tmp_path)) == digest
  _same_state(testing.state(replay), state)
  assert _live(replay) == 5


def test_only_what_it_wrote_itself_can_be_restored(tmp_path):
  for name in ('numpy', 'other'):
    (tmp_path / name).mkdir()
  _replay([_free()]).save(str(tmp_path / 'numpy'))
  assert numpy_replay.can_restore(str(tmp_path / 'numpy'))
  assert not numpy_replay.can_restore(str(tmp_path / 'other'))  # As a server leaves it.


def test_keys_are_not_given_twice_across_a_restart(tmp_path):
  table = _free(sampler=tables.Fifo(), max_times_sampled=1)
  replay = _replay([table])
  testing.Feed(replay.writer(), replay.codec)(testing.stream([3]))
  reader = replay.reader(table, 1)
  keys = [int(testing.facts(testing.read(reader))['key'][0]) for _ in range(3)]
  replay.save(str(tmp_path))
  second = _replay([table])
  second.restore(str(tmp_path))
  testing.Feed(second.writer(), second.codec)(testing.stream([2]))
  reader = second.reader(table, 1)
  keys += [int(testing.facts(testing.read(reader))['key'][0]) for _ in range(2)]
  assert len(set(keys)) == 5


# --- Memory ---


def test_a_row_is_stored_once_whatever_items_hold_it():
  described = [
    _free(items.Items(4, observations='ends'), name='a'),
    _free(items.Items(6, period=2), name='b'),
    _free(items.Items(None), name='c'),
  ]
  replay = _replay(described)
  testing.Feed(replay.writer(), replay.codec)(testing.stream([40, 5]))
  assert _live(replay) == 41 + 6
  assert len(testing.state(replay)['rows/rest']) == 41 + 6


@pytest.mark.parametrize(
  'rule',
  [
    items.Items(2),
    items.Items(5, period=2),
    items.Items(4, end='drop'),
    items.Items(4, end='continue'),
    items.Items(None),
  ],
  ids=['pairs', 'sequences', 'drop', 'continue', 'episodes'],
)
@pytest.mark.parametrize('remover', [tables.Fifo(), tables.Uniform()])
def test_memory_stays_bounded_over_many_evictions(rule, remover):
  table = _free(rule, max_size=10, remover=remover)
  replay = _replay([table])
  feeds = [testing.Feed(replay.writer(), replay.codec) for _ in range(2)]
  random = np.random.default_rng(0)
  rows = [_endless(random, 0) for _ in feeds]
  longest = 9
  for _ in range(400):
    for feed, episode in zip(feeds, rows):
      feed([next(episode) for _ in range(4)])
    assert _live(replay) <= 10 * longest + 2 * longest
  assert replay.usage()['replay'][:2] == (10, 10)
  assert len(replay._store.columns['rest']) == 1024  # It never grew: 3,200 rows went through it.


@pytest.mark.parametrize('rule', [items.Items(4), items.Items(5, period=2), items.Items(None)])
def test_items_stay_right_while_others_come_and_go(rule):
  """A padded item names its last row more than once, and that row may be freed only once."""
  table = _free(rule, max_size=3)
  replay = _replay([table])
  feed = testing.Feed(replay.writer(), replay.codec)
  random = np.random.default_rng(0)
  rows = []
  for _ in range(60):
    episode = testing.stream([int(random.integers(1, 8))], start=len(rows))
    rows += episode
    feed(episode)
    state = testing.state(replay)
    steps, _ = replay.codec.views({n[len('rows/') :]: c for n, c in state.items() if n.startswith('rows/')})
    held = np.split(steps.extras['number'][state['replay/numbers']], np.cumsum(state['replay/lengths'])[:-1])
    wanted = [testing.numbers(item) for item in items.cut(rows, rule)[-3:]]
    assert [item.tolist() for item in held] == wanted
    assert _live(replay) == len({number for item in wanted for number in item})


def test_rows_of_worn_out_items_are_freed():
  table = tables.queue(items.Items(3), 4)
  replay = _replay([table])
  feed, reader = testing.Feed(replay.writer(), replay.codec), replay.reader(table, 2)
  for step in testing.stream([100]):
    while feed.writer.flush(0.0) is not None:
      testing.read(reader)
    feed([step])
    assert _live(replay) <= 4 + 3 + 3
  while not isinstance(reader.read(0.0, 0), core.Blocked):
    pass
  assert replay.usage()['queue'].size == 0 and _live(replay) == 0


def test_rows_are_in_memory_once_also_while_they_are_saved_and_restored(tmp_path):
  """What is beside the rows is bounded: bookkeeping, room to grow, and pieces of what is on its way to the disk."""
  side, rows, megabyte = 64, 20_000, 2**20
  spec = testing.SPEC._replace(observation=dm_specs.Array((side, side), np.uint8), extras=())
  table = _free(items.Items(4, observations='ends'), max_size=rows, sampler=tables.Prioritized(0.6))
  data = rows * side * side

  def used():
    current, peak = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    return current - before, peak - before

  tracemalloc.start()
  try:
    before = tracemalloc.get_traced_memory()[0]
    replay = testing.NumpyBackend().replay([table], spec=spec)
    writer, columns = replay.writer(), replay.codec.rows(1)
    row = {name: column[0] for name, column in columns.items()}
    for _ in range(rows):
      writer.append(row, False)
    steady, peak = used()
    assert data < steady <= peak < 1.2 * data
    replay.save(str(tmp_path))
    assert used()[1] < steady + 24 * megabyte
    del replay, writer
    replay = testing.NumpyBackend().replay([table], spec=spec)
    used()
    replay.restore(str(tmp_path))
    steady, peak = used()
    assert data < steady <= peak < 1.1 * data + 24 * megabyte
  finally:
    tracemalloc.stop()


def test_unfinished_episodes_hold_no_more_rows_than_an_item_to_come_needs():
  replay = _replay([_free(items.Items(3), max_size=1)])
  feed = testing.Feed(replay.writer(), replay.codec)
  feed(testing.stream([], unfinished=500))
  assert _live(replay) == 3
  feed(testing.stream([3])[-1:])
  assert _live(replay) == 2  # Only the last item, of two rows: its padding is the final row again.


def test_a_prioritized_table_that_nobody_samples_keeps_no_list_of_its_past():
  replay = _replay([_free(max_size=10, sampler=tables.Prioritized(1.0))])
  feed = testing.Feed(replay.writer(), replay.codec)
  feed(testing.stream([10_000]))
  assert len(replay._tables[0]._changed) <= 5000


def test_tables_grow_beyond_their_first_capacity():
  table = _free(items.Items(3), max_size=3000, sampler=tables.Fifo(), max_times_sampled=1)
  replay = _replay([table, _free(items.Items(None), name='episodes')])
  rows = testing.stream([2500])
  testing.Feed(replay.writer(), replay.codec)(rows)
  assert replay.usage()['replay'][:2] == (2500, 3000)
  reader = replay.reader(table, 100)
  got = [item for _ in range(25) for item in testing.unpack(replay.codec, testing.read(reader))]
  for a, b in zip(got, items.cut(rows, table.items)):
    testing.same(a, b)


# --- What the sampler may see ---


def test_weights_follow_items_as_they_move():
  """A removal moves another item into its place, and its weight has to move too."""
  random = np.random.default_rng(0)
  table = _free(sampler=tables.Prioritized(1.0), max_size=7, remover=tables.Uniform())
  replay = _replay([table])
  reader = replay.reader(table, 5)
  feed = testing.Feed(replay.writer(), replay.codec)
  priorities, highest = {}, 1.0
  for number in range(150):
    feed(testing.stream([1], start=2 * number))
    priorities[2 * number] = highest
    read = testing.read(reader)
    numbers = [testing.numbers(item)[0] for item in testing.unpack(replay.codec, read)]
    kept = {int(n) for n in _columns_of_items(replay)}
    total = sum(priorities[n] for n in kept)
    np.testing.assert_allclose(testing.facts(read)['probability'], [priorities[n] / total for n in numbers], rtol=1e-5)
    assert set(numbers) <= kept
    new = random.integers(1, 9, 5).astype(np.float64)
    reader.write_priorities(read, new)
    priorities.update(zip(numbers, new))
    highest = max(highest, new.max())


def _columns_of_items(replay):
  """The numbers of the first rows of all items."""
  state = testing.state(replay)
  steps, _ = replay.codec.views({n[len('rows/') :]: c for n, c in state.items() if n.startswith('rows/')})
  firsts = state['replay/numbers'][np.cumsum(state['replay/lengths']) - state['replay/lengths']]
  return steps.extras['number'][firsts]


def test_a_batch_is_a_copy():
  """A batch that is being learned from doesn't change when its rows are written over."""
  table = _free(max_size=1, sampler=tables.Fifo())
  replay = _replay([table])
  feed = testing.Feed(replay.writer(), replay.codec)
  feed(testing.stream([1]))
  read = testing.read(replay.reader(table, 1))
  feed(testing.stream([1], start=50))
  assert testing.numbers(testing.unpack(replay.codec, read)[0]) == [0, 1]


def test_nothing_waits_in_one_thread():
  table = tables.queue(items.Items(2), 1)
  replay = _replay([table])
  feed = testing.Feed(replay.writer(), replay.codec)
  blocked = replay.reader(table, 1).read(100.0, 0)
  assert isinstance(blocked, core.Blocked) and "'queue'" in blocked.reason and not blocked.idle
  feed(testing.stream([2])[:2])
  blocked = feed.writer.flush(100.0)
  assert isinstance(blocked, core.Blocked) and "'queue'" in blocked.reason and not blocked.idle
  assert feed.settle(100.0) is None  # At the end of a stream nothing is on its way.
