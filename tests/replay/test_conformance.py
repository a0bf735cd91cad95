"""One suite for both back ends: what goes in comes out as the plain `cut` says, paced and picked as a table says."""

import collections
import json
import math
import time

import numpy as np
import pytest
import tree
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.replay import replay_testing as testing
from tfacme import core
from tfacme.replay import items, tables


def _queue(rule, name='replay'):
  """A table that gives each of its items once, in order."""
  return tables.Table(rule, tables.min_size(1), 10_000, name, sampler=tables.Fifo(), max_times_sampled=1)


def _pairs(sampler=tables.Uniform(), limiter=None, max_size=100, **options):
  """A table of one-step transitions."""
  return tables.Table(items.Items(2), limiter or tables.min_size(1), max_size, sampler=sampler, **options)


def _fill(replay, transitions, start=0):
  """Writes one episode."""
  feed = testing.Feed(replay.writer(), replay.codec)
  feed(testing.stream([transitions], start=start))
  assert feed.settle() is None
  return feed


def _firsts(batch, codec):
  """The numbers of the first rows of the items of a batch."""
  return [testing.numbers(item)[0] for item in testing.unpack(codec, batch)]


# --- Items ---


RULES = {
  'one_step': items.Items(2),
  'n_step': items.Items(4, observations='ends'),
  'sequences': items.Items(5, period=2, once=('state',)),
  'sequences_that_do_not_overlap': items.Items(3, period=3),
  'gaps_between_sequences': items.Items(2, period=5),
  'drop': items.Items(4, period=3, end='drop'),
  'continue': items.Items(4, period=3, end='continue'),
  'continue_and_overlap': items.Items(4, period=1, end='continue', once=('state', 'logits')),
  'stacked_transitions': items.Items(2, stack=4),
  'stacked_n_steps': items.Items(4, observations='ends', stack=4),
  'stacked_sequences': items.Items(5, period=2, once=('state',), stack=3),
  'stacked_drop': items.Items(4, period=3, end='drop', stack=2),
  'stacked_continue': items.Items(6, period=3, end='continue', stack=4),
  'stacked_ends_that_continue': items.Items(3, observations='ends', end='continue', stack=4),
  'stacked_episodes': items.Items(None, stack=4),
  'whole_episodes': items.Items(None),
  'whole_episodes_with_a_state': items.Items(None, once=('state',)),
}


@pytest.mark.parametrize('rule', RULES.values(), ids=RULES)
def test_items_are_those_of_the_reference(backend, rule):
  rows = testing.stream([1, 7, 2, 3, 12], unfinished=5)
  table = _queue(rule)
  replay = backend.replay([table])
  feed = testing.Feed(replay.writer(), replay.codec)
  feed(rows)
  assert feed.settle() is None
  wanted = items.cut(rows, rule)
  assert replay.usage()['replay'][:2] == (len(wanted), 10_000)
  got = testing.drain(replay.reader(table, 1), len(wanted), rule=rule)
  for a, b in zip(got, wanted):
    testing.same(a, b)


def _check_any(backend, rule_set, writers, order):
  """Several streams, cut by several rules, with their rows interleaved."""
  described = [_queue(rule, f'table-{i}') for i, rule in enumerate(rule_set)]
  tables.check(described, slots=1)
  streams = [testing.stream(*lengths, start=1000 * i) for i, lengths in enumerate(writers)]
  replay = backend.replay(described)
  feeds = [testing.Feed(replay.writer(), replay.codec) for _ in streams]
  left = [list(rows) for rows in streams]
  while any(left):
    chosen = next(order) % len(left)
    count = 1 + next(order) % 4
    feeds[chosen](left[chosen][:count])
    left[chosen] = left[chosen][count:]
  assert all(feed.settle() is None for feed in feeds)
  for table in described:
    wanted = [items.cut(rows, table.items) for rows in streams]
    assert replay.usage()[table.name].size == sum(map(len, wanted))
    reader = replay.reader(table, 1)
    got = collections.defaultdict(list)
    for _ in range(sum(map(len, wanted))):
      (item,) = testing.unpack(replay.codec, testing.read(reader), table.items)
      got[testing.numbers(item)[0] // 1000].append(item)
    for i, ours in enumerate(wanted):
      assert len(got[i]) == len(ours)
      for a, b in zip(got[i], ours):
        testing.same(a, b)
  return replay


_cases = dict(
  rule_set=testing.rule_sets,
  writers=st.lists(st.tuples(testing.episode_lengths, st.integers(0, 9)), min_size=1, max_size=3),
  seed=st.integers(0, 1000),
)


@given(**_cases)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_numpy_cuts_any_streams_by_any_rules_as_the_reference_does(rule_set, writers, seed):
  _check_any(testing.NumpyBackend(), rule_set, writers, _integers(seed))


@given(**_cases)
@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_reverb_cuts_any_streams_by_any_rules_as_the_reference_does(reverb_backend, rule_set, writers, seed):
  _check_any(reverb_backend, rule_set, writers, _integers(seed))


def _integers(seed):
  random = np.random.default_rng(seed)
  while True:
    yield int(random.integers(1000))


def test_whole_episodes_and_transitions_come_from_one_stream(backend):
  _check_any(backend, [items.Items(None), items.Items(4, observations='ends')], [([3, 5], 2), ([2], 0)], _integers(0))


def test_tables_may_stack_different_numbers_of_frames(backend):
  rule_set = [items.Items(3, stack=4), items.Items(3), items.Items(None, stack=2), items.Items(2, stack=7)]
  _check_any(backend, rule_set, [([4, 1], 2), ([9], 0)], _integers(0))


def test_tables_may_keep_different_extras_once(backend):
  rule_set = [items.Items(3, once=('state',)), items.Items(3, once=('state', 'logits')), items.Items(2)]
  _check_any(backend, rule_set, [([4, 1], 0)], _integers(0))


def test_batches_stack_items(backend):
  rule = items.Items(3)
  rows = testing.stream([10])
  table = _queue(rule)
  replay = backend.replay([table])
  feed = testing.Feed(replay.writer(), replay.codec)
  feed(rows)
  assert feed.settle() is None
  got = testing.drain(replay.reader(table, 5), 2)
  for a, b in zip(got, items.cut(rows, rule)):
    testing.same(a, b)


def test_batches_of_episodes_are_padded_by_the_last_row(backend):
  table = _queue(items.Items(None))
  replay = backend.replay([table])
  feed = testing.Feed(replay.writer(), replay.codec)
  feed(testing.stream([1, 4, 2]))
  assert feed.settle() is None
  got = testing.unpack(replay.codec, testing.read(replay.reader(table, 3)))
  assert [testing.numbers(item) for item in got] == [[0, 1, 1, 1, 1], [2, 3, 4, 5, 6], [7, 8, 9, 9, 9]]
  assert [item.last.tolist()[1:] for item in got] == [[True] * 4, [False] * 3 + [True], [False, True, True, True]]


def test_batches_of_episodes_are_padded_by_the_last_stack(backend):
  rule = items.Items(None, stack=3)
  table = _queue(rule)
  replay = backend.replay([table])
  feed = testing.Feed(replay.writer(), replay.codec)
  rows = testing.stream([1, 4, 2])
  feed(rows)
  assert feed.settle() is None
  got = testing.unpack(replay.codec, testing.read(replay.reader(table, 3)), rule)
  for item, wanted in zip(got, items.cut(rows, rule)):
    count = len(wanted.last)
    testing.same(tree.map_structure(lambda x, n=count: x[:n], item), wanted)
    for leaf in tree.flatten(tree.map_structure(lambda x, n=count: x[n - 1 :], item)):
      assert (leaf == leaf[:1]).all()


# --- What a batch says of itself ---


def test_a_batch_says_where_it_is_from(backend):
  replay = backend.replay([_pairs()])
  feed = testing.Feed(replay.writer(), replay.codec)
  for number in range(4):
    feed(testing.stream([1], start=10 * number), version=100 + number)
  assert feed.settle() is None
  batch = testing.read(replay.reader(_pairs(), 64), now=200)
  facts = testing.facts(batch)
  firsts = _firsts(batch, replay.codec)
  assert len(set(zip(firsts, facts['key'].tolist()))) == len(set(firsts)) == len(set(facts['key'].tolist())) == 4
  np.testing.assert_allclose(facts['probability'], 0.25)
  assert set(facts['table_size'].tolist()) == {4}
  assert set(facts['now'].tolist()) == {200}
  assert set(facts['source'].tolist()) == {0}
  _, version = replay.codec.views({name: np.asarray(column) for name, column in batch.columns.items()})
  assert version[:, 0].tolist() == [100 + first // 10 for first in firsts]


# --- Samplers and removers ---


def _sample_until(reader, codec, wanted, draws=4000):
  """Counts first rows, once sampling follows the probabilities `wanted`: Reverb's readers have read ahead."""
  end = time.monotonic() + 20
  while time.monotonic() < end:
    batch = testing.read(reader)
    probabilities = dict(zip(_firsts(batch, codec), testing.facts(batch)['probability'].tolist()))
    if all(math.isclose(p, wanted.get(first, 0), rel_tol=1e-5) for first, p in probabilities.items()):
      break
  else:
    raise AssertionError(f'{probabilities} instead of {wanted}')
  counted = collections.Counter()
  while sum(counted.values()) < draws:
    batch = testing.read(reader)
    firsts, probability = _firsts(batch, codec), testing.facts(batch)['probability']
    np.testing.assert_allclose(probability, [wanted[first] for first in firsts], rtol=1e-5)
    counted.update(firsts)
  return counted


def _check_frequencies(counted, wanted):
  """Each within 5.5 standard deviations: Reverb can't be seeded, and may fail once in a million runs."""
  draws = sum(counted.values())
  for number, p in wanted.items():
    assert abs(counted[number] - draws * p) <= 5.5 * math.sqrt(draws * p * (1 - p)), (counted, wanted)


def test_uniform_sampling_is_uniform(backend):
  table = _pairs()
  replay = backend.replay([table])
  _fill(replay, 5)
  wanted = dict.fromkeys(range(5), 0.2)
  _check_frequencies(_sample_until(replay.reader(table, 100), replay.codec, wanted), wanted)


@pytest.mark.parametrize('exponent', [0.0, 0.5, 1.0])
def test_prioritized_sampling_follows_the_power_of_the_priority(backend, exponent):
  table = _pairs(tables.Prioritized(exponent))
  replay = backend.replay([table])
  _fill(replay, 4)
  reader = replay.reader(table, 100)
  equal = dict.fromkeys(range(4), 0.25)  # A new item has priority 1.
  _check_frequencies(_sample_until(reader, replay.codec, equal, draws=1000), equal)
  batch = testing.read(reader)
  priorities = np.array([0.1, 4.0, 9.0, 0.0])  # Priority zero is never sampled, even with the exponent zero.
  reader.write_priorities(batch, priorities[_firsts(batch, replay.codec)])
  weights = np.where(priorities > 0, priorities**exponent, 0)
  wanted = dict(enumerate((weights / weights.sum()).tolist()))
  counted = _sample_until(reader, replay.codec, wanted)
  assert counted[3] == 0
  _check_frequencies(counted, wanted)


def test_new_items_have_the_highest_priority_so_far(backend):
  """Schaul et al. 2016, algorithm 1."""
  table = _pairs(tables.Prioritized(0.5))
  replay = backend.replay([table])
  feed = _fill(replay, 4)
  reader = replay.reader(table, 64)
  batch = testing.read(reader)
  reader.write_priorities(batch, 250.0 * (1 + np.array(_firsts(batch, replay.codec))))
  feed(testing.stream([2], start=10))
  assert feed.settle() is None
  weights = {0: 250, 1: 500, 2: 750, 3: 1000, 10: 1000, 11: 1000}
  total = sum(weight**0.5 for weight in weights.values())
  wanted = {first: weight**0.5 / total for first, weight in weights.items()}
  _check_frequencies(_sample_until(reader, replay.codec, wanted), wanted)
  # It is the highest there ever was, not of those that are there.
  batch = testing.read(reader)
  reader.write_priorities(batch, np.full(64, 10.0))
  feed(testing.stream([1], start=20))
  assert feed.settle() is None
  low = 0.1 / (0.1 * 6 + 1)
  wanted = {**dict.fromkeys(weights, low), 20: 10 * low}
  _sample_until(reader, replay.codec, wanted, draws=1)


def test_the_highest_priority_so_far_comes_back_from_a_checkpoint(backend, tmp_path):
  table = _pairs(tables.Prioritized(1.0))
  saved = []

  def fill(replay):
    _fill(replay, 3)
    reader = replay.reader(table, 64)
    reader.write_priorities(testing.read(reader), np.full(64, 1000.0))
    saved.append(json.dumps(reader.state()))  # As the learner does.

  replay = backend.saved_and_restored([table], fill, str(tmp_path))
  reader = replay.reader(table, 64)
  reader.set_state(json.loads(saved[0]))
  _fill(replay, 1, start=10)
  batch = testing.read(reader)
  reader.write_priorities(batch, np.where(np.array(_firsts(batch, replay.codec)) == 10, 500.0, 1000.0))
  _sample_until(reader, replay.codec, {0: 2 / 7, 1: 2 / 7, 2: 2 / 7, 10: 1 / 7}, draws=1)


def test_few_items_are_never_sampled_whatever_the_scale_of_priorities(backend):
  """With one sample an insert.

  Of items all alike exp(-1) = 0.37 are never sampled. Those that were sampled have less than a new one, so it is 0.335
  if a batch is drawn when it is asked for, 0.35 as Reverb draws ahead, both ± 0.01 from run to run; it would be 0.83
  if new items had priority one.
  """
  size, batch_size = 256, 16
  table = _pairs(tables.Prioritized(0.6), max_size=size)
  replay = backend.replay([table])
  feed = testing.Feed(replay.writer(), replay.codec)
  reader = replay.reader(table, batch_size)
  rows = iter(testing.stream([8 * size + 1]))
  feed([next(rows)])
  random, seen = np.random.default_rng(0), set()
  for _ in range(8 * size // batch_size):
    feed([next(rows) for _ in range(batch_size)])
    assert feed.settle() is None
    batch = testing.read(reader)
    seen.update(_firsts(batch, replay.codec))
    reader.write_priorities(batch, random.uniform(500, 1500, batch_size))
  gone = range(size, 7 * size)  # Before them the highest was still growing.
  assert np.mean([number not in seen for number in gone]) < (0.37 if backend.name == 'numpy' else 0.45)


def test_items_of_priority_zero_are_alike_if_there_are_no_others(backend):
  table = _pairs(tables.Prioritized(0.6))
  replay = backend.replay([table])
  _fill(replay, 2)
  reader = replay.reader(table, 64)
  reader.write_priorities(testing.read(reader), np.zeros(64))
  for _ in range(10):
    batch = testing.read(reader)
    assert set(_firsts(batch, replay.codec)) == {0, 1}
    np.testing.assert_allclose(testing.facts(batch)['probability'], 0.5)


def test_priorities_of_items_that_are_gone_are_passed_over(backend):
  table = _pairs(tables.Prioritized(1.0), max_size=3)
  replay = backend.replay([table])
  feed = _fill(replay, 3)
  reader = replay.reader(table, 64)
  batch = testing.read(reader)
  feed(testing.stream([2], start=10))  # Of 0, 1 and 2, only 2 stays.
  assert feed.settle() is None
  reader.write_priorities(batch, 1 / (1.0 + np.array(_firsts(batch, replay.codec))))
  wanted = {2: 1 / 7, 10: 3 / 7, 11: 3 / 7}
  _check_frequencies(_sample_until(reader, replay.codec, wanted, draws=1000), wanted)


@pytest.mark.parametrize(
  'sampler, remover, left, sampled',
  [
    (tables.Fifo(), tables.Fifo(), [4, 5, 6], [4]),
    (tables.Lifo(), tables.Fifo(), [4, 5, 6], [6]),
    (tables.Fifo(), tables.Lifo(), [0, 1, 2], [0]),
    (tables.Lifo(), tables.Lifo(), [0, 1, 2], [2]),
    (tables.Uniform(), tables.Fifo(), [4, 5, 6], [4, 5, 6]),
  ],
)
def test_a_full_table_removes_one_item_for_each_new_one(backend, sampler, remover, left, sampled):
  table = _pairs(sampler, max_size=3, remover=remover)
  inspected = tables.Table(items.Items(2), tables.min_size(1), 3, 'inspected', tables.Uniform(), remover)
  replay = backend.replay([table, inspected])
  _fill(replay, 7)
  assert {name: usage[:2] for name, usage in replay.usage().items()} == {'replay': (3, 3), 'inspected': (3, 3)}
  batch = testing.read(replay.reader(table, 64))
  assert sorted(set(_firsts(batch, replay.codec))) == sampled
  if not isinstance(sampler, tables.Uniform):
    assert set(testing.facts(batch)['probability'].tolist()) == {1.0}
  assert sorted(set(_firsts(testing.read(replay.reader(inspected, 64)), replay.codec))) == left


def test_a_uniform_remover_removes_any_item_the_new_one_too(backend):
  described = [
    tables.Table(items.Items(2), tables.min_size(1), 2, f'table-{i}', remover=tables.Uniform()) for i in range(40)
  ]
  replay = backend.replay(described)
  _fill(replay, 3)
  left = collections.Counter()
  for table in described:
    kept = set(_firsts(testing.read(replay.reader(table, 32)), replay.codec))
    assert len(kept) == 2
    left.update(kept)
  # Each is kept in two thirds of the tables: 27 of 40, give or take 3.
  assert set(left) == {0, 1, 2} and all(10 <= count <= 39 for count in left.values())


@pytest.mark.parametrize('sampler', [tables.Uniform(), tables.Prioritized(1.0), tables.Fifo(), tables.Lifo()])
@pytest.mark.parametrize('times', [1, 3])
def test_no_item_is_sampled_more_often_than_it_may_be(backend, sampler, times):
  table = _pairs(sampler, max_times_sampled=times)
  replay = backend.replay([table])
  _fill(replay, 8)
  reader = replay.reader(table, 4)
  sampled = [testing.numbers(item)[0] for item in testing.drain(reader, 2 * times)]
  assert collections.Counter(sampled) == dict.fromkeys(range(8), times)
  assert replay.usage()['replay'].size == 0
  if isinstance(sampler, tables.Fifo):
    assert sampled == sorted(sampled)
  _fill(replay, 4, start=100)
  assert sorted(_firsts(testing.read(reader), replay.codec))[0] >= 100


# --- Rate limiters ---


LIMITERS = {
  'min_size': tables.min_size(7),
  'ratio': tables.sample_to_insert_ratio(2.0, 5, 4.0),
  'slow_ratio': tables.sample_to_insert_ratio(0.3, 4, 1.5),
  'high_ratio': tables.sample_to_insert_ratio(8.0, 1, 8.0),
  'queue': tables.queue_limiter(3),
  'warm_up_beyond_the_bounds': tables.Limiter(1.0, 10, 0.0, 4.0),
}


def _simulate(limiter, offered):
  """(inserts before any sample, samples and inserts when nothing moves any more), by the plain arithmetic."""
  inserts = samples = 0
  while inserts < offered and limiter.can_insert(inserts, samples, inserts):
    inserts += 1
  before, moved = inserts, True
  while moved and samples < 1000:
    moved = True
    if limiter.can_sample(inserts, samples, inserts):
      samples += 1
    elif inserts < offered and limiter.can_insert(inserts, samples, inserts):
      inserts += 1
    else:
      moved = False
  return before, samples, inserts


def _wait_for_size(replay, size):
  """Waits until a table has this size, and a little longer to see that it stays so."""
  end = time.monotonic() + 20
  while replay.usage()['replay'].size != size and time.monotonic() < end:
    time.sleep(0.01)
  time.sleep(0.1)
  assert replay.usage()['replay'].size == size


@pytest.mark.parametrize('limiter', LIMITERS.values(), ids=LIMITERS)
def test_limiters_stop_inserts_and_samples_where_reverbs_do(backend, limiter):
  offered = 20
  before, samples, inserts = _simulate(limiter, offered)
  table = _pairs(tables.Fifo(), limiter)
  replay = backend.replay([table])
  feed = testing.Feed(replay.writer(), replay.codec)
  rows = testing.stream([offered + 1])[: offered + 1]

  def offer():
    if backend.name != 'numpy':  # What the server doesn't take waits in the writer, or with the server.
      feed(rows)
      rows.clear()
    if backend.name == 'beside':
      feed.settle(0.1)
    while rows and feed.writer.flush(0.0) is None:
      feed([rows.pop(0)])

  feed([rows.pop(0)])  # From now on each row makes an item.
  offer()
  if before == offered:  # The newest items wait in Reverb's writer until more come, or until the stream ends.
    assert feed.settle() is None
  _wait_for_size(replay, before)
  if before < offered:
    blocked = feed.writer.flush(0.05, everything=backend.name != 'numpy')
    assert isinstance(blocked, core.Blocked) and 'rate limiter' in blocked.reason
  reader = replay.reader(table, 1)
  for _ in range(samples):
    testing.read(reader)
    offer()
  if samples < 1000:
    assert testing.starved(reader)
  _wait_for_size(replay, inserts)


def test_a_batch_may_overdraw(backend):
  """As in STACK.md: the bounds are narrower than a batch, which would stop for ever if it had to fit at once."""
  table = _pairs(limiter=tables.sample_to_insert_ratio(0.5, 10, 2.0))
  replay = backend.replay([table])
  feed = testing.Feed(replay.writer(), replay.codec)
  rows = iter(testing.stream([500]))
  feed([next(rows)])
  reader = replay.reader(table, 16)
  batches = written = 0
  end = time.monotonic() + 20
  while batches < 5 and time.monotonic() < end:
    if feed.writer.flush(0.01) is None:
      feed([next(rows)])
      written += 1
    batches += not isinstance(reader.read(0.01, 0), core.Blocked)
  assert batches == 5
  # At half a sample an insert: 64 samples at the least before the fifth batch; and 80, with the batches that Reverb's
  # reader has taken ahead, at the most.
  assert 130 <= written <= (200 if backend.name == 'numpy' else 330)


@pytest.mark.parametrize('size, batch_size', [(1, 1), (4, 4), (6, 2)])
def test_a_queue_loses_nothing_and_holds_the_actor(backend, size, batch_size):
  table = tables.queue(items.Items(2), size)
  replay = backend.replay([table])
  feed = testing.Feed(replay.writer(), replay.codec)
  reader = replay.reader(table, batch_size)
  rows = testing.stream([5, 1, 50, 3, 1])
  got, most = [], 0
  for step in rows:
    while feed.writer.flush(0.05) is not None:
      batch = testing.read(reader)
      got += _firsts(batch, replay.codec)
    feed([step])
    most = max(most, replay.usage()['queue'].size)
  assert most <= size + (1 if backend.name == 'numpy' else 0)
  while len(got) < 60 // batch_size * batch_size:
    feed.settle(0.05)
    got += _firsts(testing.read(reader), replay.codec)
  assert got == [testing.numbers(item)[0] for item in items.cut(rows, table.items)]


def test_a_queue_keeps_all_items_of_the_ends_of_episodes(backend):
  """Where an episode ends, padding completes many items at once, in each slot."""
  rule = items.Items(10)
  table = tables.queue(rule, 3)
  tables.check([table], slots=3)
  replay = backend.replay([table])
  feeds = [testing.Feed(replay.writer(), replay.codec) for _ in range(3)]
  episodes = [testing.stream([10], start=100 * i) for i in range(3)]
  for feed, rows in zip(feeds, episodes):
    feed(rows[:-2])
  assert all(feed.writer.flush(1.0) is None for feed in feeds)
  for feed, rows in zip(feeds, episodes):
    feed(rows[-2:])
  reader = replay.reader(table, 3)
  got = []
  for _ in range(10):
    for feed in feeds:
      feed.settle(0.01)
    got += _firsts(testing.read(reader), replay.codec)
  assert sorted(got) == [100 * i + t for i in range(3) for t in range(10)]


def test_only_the_table_that_is_full_holds_the_actor(backend):
  full = tables.queue(items.Items(2), 2, 'full')
  free = _pairs()
  replay = backend.replay([free, full])
  feed = testing.Feed(replay.writer(), replay.codec)
  rows = iter(testing.stream([100]))
  for _ in range(3):
    feed([next(rows)])
  reader = replay.reader(full, 1)
  blocked = None
  for _ in range(12):
    blocked = blocked or feed.writer.flush(0.05)
    feed([next(rows)] if blocked is None else [])
  assert isinstance(blocked, core.Blocked) and not blocked.idle
  end = time.monotonic() + 20
  while feed.writer.flush(0.05) is not None and time.monotonic() < end:
    testing.read(reader)
  assert feed.writer.flush(0.05) is None


# --- Save and restore ---


@pytest.mark.parametrize('rule', [items.Items(3), items.Items(None)], ids=['sequences', 'episodes'])
def test_items_come_back_from_a_checkpoint(backend, rule, tmp_path):
  table = _queue(rule)
  rows = testing.stream([3, 5, 2, 4])

  def fill(replay):
    feed = testing.Feed(replay.writer(), replay.codec)
    feed(rows)
    assert feed.settle() is None

  replay = backend.saved_and_restored([table], fill, str(tmp_path))
  feed = testing.Feed(replay.writer(), replay.codec)
  more = testing.stream([2, 6], start=1000)
  feed(more)
  assert feed.settle() is None
  wanted = items.cut(rows, rule) + items.cut(more, rule)
  for a, b in zip(testing.drain(replay.reader(table, 1), len(wanted)), wanted):
    testing.same(a, b)


def test_priorities_come_back_from_a_checkpoint(backend, tmp_path):
  table = _pairs(tables.Prioritized(1.0))

  def fill(replay):
    _fill(replay, 3)
    reader = replay.reader(table, 64)
    batch = testing.read(reader)
    reader.write_priorities(batch, 1.0 + np.array(_firsts(batch, replay.codec)))
    _sample_until(reader, replay.codec, wanted, draws=1)

  wanted = {0: 1 / 6, 1: 2 / 6, 2: 3 / 6}
  replay = backend.saved_and_restored([table], fill, str(tmp_path))
  counted = _sample_until(replay.reader(table, 100), replay.codec, wanted, draws=1000)
  _check_frequencies(counted, wanted)


def test_a_rate_limiter_goes_on_where_it_was(backend, tmp_path):
  limiter = tables.sample_to_insert_ratio(1.0, 2, 3.0)
  table = _pairs(tables.Fifo(), limiter)
  replay = backend.saved_and_restored([table], lambda first: _fill(first, 4), str(tmp_path))
  # Four inserts, bounds -1 and 5: five samples, and no more.
  reader = replay.reader(table, 1)
  for _ in range(5):
    testing.read(reader)
  assert testing.starved(reader)


def test_what_was_sampled_often_enough_stays_away_after_a_restart(backend, tmp_path):
  table = _queue(items.Items(2))

  def fill(replay):
    _fill(replay, 6)
    reader = replay.reader(table, 3)
    assert _firsts(testing.read(reader), replay.codec) == [0, 1, 2]
    assert _firsts(testing.read(reader), replay.codec) == [3, 4, 5]

  replay = backend.saved_and_restored([table], fill, str(tmp_path))
  _fill(replay, 1, start=50)
  assert [testing.numbers(item)[0] for item in testing.drain(replay.reader(table, 1), 1)] == [50]


def test_an_empty_replay_can_be_saved(backend, tmp_path):
  table = _queue(items.Items(2))
  replay = backend.saved_and_restored([table], lambda first: None, str(tmp_path))
  assert replay.usage()['replay'][:2] == (0, 10_000)
  _fill(replay, 2)
  assert len(testing.drain(replay.reader(table, 1), 2)) == 2


# --- What a run asks at its end ---


def test_a_reader_is_exhausted_when_there_is_nothing_more_to_read(backend):
  table = _queue(items.Items(2))
  replay = backend.replay([table])
  reader = replay.reader(table, 1)
  assert reader.exhausted() or reader.exhausted()  # asked twice, since the last samples may be on their way
  _fill(replay, 3)
  assert not reader.exhausted()
  for _ in range(3):
    testing.read(reader)
  assert testing.starved(reader)
  assert reader.exhausted() or reader.exhausted()  # asked twice, since the last samples may be on their way


@pytest.mark.parametrize('start', ['new', 'restored'])
def test_a_reader_is_exhausted_where_the_rate_limiter_stops_it(backend, start, tmp_path):
  table = _pairs(limiter=tables.sample_to_insert_ratio(2.0, 3, 4.0))  # Five inserts allow eight samples.
  replay = backend.replay([table])
  if start == 'restored':
    replay = backend.saved_and_restored([table], lambda first: _fill(first, 5), str(tmp_path))
  else:
    _fill(replay, 5)
  reader = replay.reader(table, 1)
  assert replay.usage()['replay'][2:4] == (5, 0)
  assert not (reader.exhausted() or reader.exhausted())
  for _ in range(8):
    testing.read(reader)
  assert testing.starved(reader)
  assert reader.exhausted() or reader.exhausted()  # asked twice, since the last samples may be on their way


def test_items_inserted_and_sampled_are_counted(backend):
  tabled = _pairs(tables.Fifo(), max_size=4, max_times_sampled=1)
  replay = backend.replay([tabled])
  assert replay.usage()['replay'][2:4] == (0, 0)
  _fill(replay, 6)
  assert replay.usage()['replay'][2:4] == (6, 0)
  reader = replay.reader(tabled, 2)
  testing.drain(reader, 2)
  assert replay.usage()['replay'][2:4] == (6, 4)


@pytest.mark.parametrize('prefill', [0, 30])
def test_the_ratio_that_a_run_has_is_that_of_its_limiter(backend, prefill):
  """Two samples of each item from the tenth on, or from the last of a prefill on."""
  limiter = tables.sample_to_insert_ratio(2.0, 10, 20.0).prefilled(prefill)
  table = _pairs(limiter=limiter)
  replay = backend.replay([table])
  _fill(replay, prefill + 10)
  assert replay.usage()['replay'].samples_per_insert == 0
  reader = replay.reader(table, 1)
  first = max(10, prefill)  # It allows 2 * (n - 10) + 20, or as many for those after a prefill.
  allowed = 2 * (prefill + 10 - first) + 20
  testing.drain(reader, allowed)
  usage = replay.usage()['replay']
  assert usage.sampled == allowed
  assert usage.samples_per_insert == allowed / (prefill + 10 - first + 1)
