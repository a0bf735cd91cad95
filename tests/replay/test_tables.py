"""Tables and their rate limiters: what is refused, and that what is not refused never stops for ever."""

import itertools
import math
import sys

import numpy as np
import pytest

from tests.replay import replay_testing as testing
from tfacme import errors
from tfacme.replay import items, numpy_rows, numpy_table, packing, reverb_tables, tables

PAIRS = items.Items(2)
CODEC = packing.Codec.of(testing.SPEC, [PAIRS])


def _refused(make, *words):
  with pytest.raises(errors.UserError) as caught:
    make()
  message = str(caught.value)
  assert message.count('\n') == 0 and message.endswith('.') and not message[:-1].count('. ')
  for word in words:
    assert word in message


# --- The rate limiter ---


def _batches(limiter, batch, inserts):
  """How many batches of so many samples may be taken after each insert, as soon as that may be."""
  samples, taken = 0, []
  for count in range(1, inserts + 1):
    assert limiter.can_insert(count - 1, samples, count - 1)
    while limiter.can_sample(count, samples, count):
      samples += batch
    taken.append(samples // batch)
  return taken


@pytest.mark.parametrize('ratio, batch, part', [(16.0, 32, 24), (256.0, 256, 128), (0.5, 8, 1), (3.0, 2, 1)])
def test_a_table_that_gives_a_part_of_each_batch_allows_as_many_batches(ratio, batch, part):
  limiter = tables.tolerant_ratio(ratio, 0.1, 10, batch)
  whole, parts = _batches(limiter, batch, 60), _batches(limiter.part_of(part / batch), part, 60)
  assert max(abs(a - b) for a, b in zip(whole, parts)) <= 1 and whole[-1] > 0
  free = tables.min_size(10)
  assert not free.part_of(0.5).bounds_samples and not free.part_of(0.5).bounds_inserts


RATIOS = [0.3, 0.5, 1.0, 1.5, 3.0, 4.7]
GRID = list(itertools.product(RATIOS, [1, 4], [-3.0, 0.0, 2.25, 6.0], [0.5, 1.0, 1.3, 2.7, 4.0, 5.7]))


def _stuck(limiter, size_of):
  """The states in which neither side may move, reachable by single inserts and samples from an empty table.

  Args:
    limiter: the rate limiter.
    size_of: the size of the table after so many inserts and samples.
  """
  seen, ahead, stuck = {(0, 0)}, [(0, 0)], []
  while ahead:
    inserts, samples = ahead.pop()
    size = size_of(inserts, samples)
    moves = []
    if limiter.can_insert(inserts, samples, size):
      moves.append((inserts + 1, samples))
    if limiter.can_sample(inserts, samples, size):
      moves.append((inserts, samples + 1))
    if not moves:
      stuck.append((inserts, samples))
    for move in moves:
      if move not in seen and max(move) <= 24:
        seen.add(move)
        ahead.append(move)
  return stuck


def _dead_differences(ratio, low, high):
  """The differences d = i * ratio - s, of whole i and s, from which neither an insert nor a sample stays in bounds."""
  found = {round(i * ratio - s, 9) for i in range(20) for s in range(80)}
  return sorted(d for d in found if d + ratio > high + 1e-9 and d - 1 < low - 1e-9)


def _accepted(ratio, min_size, low, high):
  try:
    return tables.Limiter(ratio, min_size, low, high)
  except errors.UserError:
    return None


def test_no_limiter_that_is_accepted_ever_stops_both_sides():
  accepted = [
    limiter
    for ratio, min_size, low, width in GRID
    if (limiter := _accepted(ratio, min_size, low, low + width)) is not None
  ]
  assert 100 < len(accepted) < len(GRID) - 100
  for limiter in accepted:
    assert not _stuck(limiter, lambda inserts, samples: inserts), limiter  # items stay
    most = limiter.min_size + 2
    assert not _stuck(limiter, lambda inserts, samples, most=most: min(inserts, most)), limiter  # old ones go
    assert not _stuck(limiter, lambda inserts, samples: max(0, inserts - samples)), limiter  # sampled ones go
    assert not _dead_differences(limiter.samples_per_insert, limiter.low, limiter.high), limiter


def test_limiters_of_whole_numbers_are_refused_just_where_they_would_stop():
  for ratio, low, width in itertools.product(
    [1.0, 2.0, 3.0, 5.0], [-4.0, 0.0, 3.0], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
  ):
    refused = _accepted(ratio, 1, low, low + width) is None
    assert refused == bool(_dead_differences(ratio, low, low + width)), (ratio, low, width)


def test_of_limiters_of_other_numbers_some_are_refused_that_would_not_stop():
  """The rule is only sufficient for them: 0.5 samples an insert never meet the gap between 0.5 and 1."""
  refused = [
    (ratio, low, low + width)
    for ratio, low, width in itertools.product([0.25, 0.3, 0.5, 1.5, 4.7], [-0.5, 0.0, 2.25], [0.5, 1.0, 2.7, 5.0])
    if _accepted(ratio, 1, low, low + width) is None
  ]
  stops = [bool(_dead_differences(*arguments)) for arguments in refused]
  assert (0.5, 0.0, 1.0) in refused and not _dead_differences(0.5, 0.0, 1.0)
  assert sum(stops) > len(stops) / 2  # Most of what is refused would stop.


def test_a_limiter_that_is_refused_would_have_stopped():
  """The same arithmetic without the check: inserts up to the bound, and then neither side moves."""
  limiter = tables.Limiter(3.0, 1, 0.0, 9.0)
  object.__setattr__(limiter, 'high', 2.0)
  object.__setattr__(limiter, 'low', 2.5)
  assert _stuck(limiter, lambda inserts, samples: inserts)
  _refused(lambda: tables.Limiter(3.0, 1, 2.5, 2.0), 'rate limiter would block for ever between its bounds 2.5 and 2')


@pytest.mark.parametrize('ratio', RATIOS)
@pytest.mark.parametrize('min_size', [1, 7])
def test_every_ratio_with_a_large_enough_buffer_goes_on(ratio, min_size):
  buffer = max(1.0, ratio)
  for more in (0.0, 0.1, 3.0):
    limiter = tables.sample_to_insert_ratio(ratio, min_size, buffer + more)
    assert not _stuck(limiter, lambda inserts, samples: inserts)
  _refused(lambda: tables.sample_to_insert_ratio(ratio, min_size, buffer - 0.01), 'error buffer', f'{buffer:g}')


def test_the_realized_ratio_stays_within_the_buffer():
  limiter = tables.sample_to_insert_ratio(4.0, 10, 12.0)
  random = np.random.default_rng(0)
  inserts = samples = 0
  for _ in range(5000):
    if random.random() < 0.5 and limiter.can_insert(inserts, samples, inserts):
      inserts += 1
    elif limiter.can_sample(inserts, samples, inserts):
      samples += 1
    if samples:
      assert abs((inserts - 10) * 4.0 - samples) <= 12
  assert samples > 2000


def test_min_size_holds_only_samples_and_only_at_first():
  limiter = tables.min_size(3)
  assert [limiter.can_sample(size, 0, size) for size in range(5)] == [False, False, False, True, True]
  assert limiter.can_sample(3, 10**12, 3) and limiter.can_insert(10**12, 0, 3)
  assert not limiter.bounds_samples and not limiter.bounds_inserts


def test_a_queue_holds_its_size():
  limiter = tables.queue_limiter(2)
  assert [limiter.can_insert(n, 0, n) for n in range(4)] == [True, True, False, False]
  assert limiter.can_insert(2, 1, 1)
  assert not limiter.can_sample(1, 1, 0) and limiter.can_sample(2, 1, 1)
  assert limiter.bounds_samples and limiter.bounds_inserts


@pytest.mark.parametrize(
  'make, words',
  [
    (lambda: tables.Limiter(0.0, 1, 0.0, 9.0), ['samples_per_insert is 0.0', 'more than 0']),
    (lambda: tables.Limiter(-1.0, 1, 0.0, 9.0), ['samples_per_insert is -1.0']),
    (lambda: tables.Limiter(1.0, 0, 0.0, 9.0), ['minimal size of a table is 0', 'at least 1']),
    (lambda: tables.Limiter(1.0, 1, 0.0, 0.0), ['block for ever', 'put them 1 apart']),
    (lambda: tables.Limiter(1.5, 1, 0.0, 2.0), ['block for ever', 'put them 2.5 apart']),
    (lambda: tables.Limiter(float('nan'), 1, 0.0, 2.0), ['samples_per_insert is nan']),
    (lambda: tables.min_size(0), ['minimal size']),
    (lambda: tables.queue_limiter(0), ['block for ever']),
    (lambda: tables.Prioritized(-0.1), ['priority exponent is -0.1']),
  ],
)
def test_limiters_and_samplers_that_make_no_sense_are_refused(make, words):
  _refused(make, *words)


# --- Tables ---


@pytest.mark.parametrize(
  'make, words',
  [
    (lambda: tables.Table(PAIRS, tables.min_size(1), 0, name='mine'), ["max_size of the table 'mine' is 0"]),
    (lambda: tables.Table(PAIRS, tables.min_size(1), 5, max_times_sampled=-1), ['max_times_sampled', 'is -1']),
    (lambda: tables.Table(PAIRS, tables.min_size(6), 5), ['holds at most 5 items', 'the 6 that its rate limiter']),
    (
      lambda: tables.Table(PAIRS, tables.sample_to_insert_ratio(4.0, 1, 4.0), 5, max_times_sampled=3),
      ['waits for 4 samples of each item', 'at most 3 times'],
    ),
    (lambda: tables.find([tables.queue(PAIRS, 2)], 'other'), ["no replay table 'other'", "['queue']"]),
  ],
)
def test_tables_that_make_no_sense_are_refused(make, words):
  _refused(make, *words)


def test_tables_are_found_by_name():
  described = [tables.queue(PAIRS, 2, 'a'), tables.queue(PAIRS, 2, 'b')]
  assert tables.find(described, 'b') is described[1]
  assert tables.find(described[:1], None) is described[0]


def _free(name, rule=PAIRS):
  return tables.Table(rule, tables.min_size(1), 5, name)


@pytest.mark.parametrize(
  'described, words',
  [
    ([_free('a'), _free('b'), _free('a')], ['one name', "['a', 'b', 'a']"]),
    ([_free('a'), _free('b', items.Items(2, end='continue'))], ['continue into the next episode']),
    ([_free('a', items.Items(None)), _free('b', items.Items(2, end='continue'))], ['continue into the next episode']),
    ([tables.queue(PAIRS, 9, 'a'), tables.queue(PAIRS, 9, 'b')], ['At most one replay table', "['a', 'b']"]),
    ([tables.queue(PAIRS, 3)], ["queue 'queue' holds 3 items, fewer than the 4 slots"]),
  ],
)
def test_tables_that_do_not_go_together_are_refused(described, words):
  _refused(lambda: tables.check(described, slots=4), *words)


def test_tables_that_go_together_pass():
  tables.check([tables.queue(PAIRS, 4), _free('a'), _free('b', items.Items(None))], slots=4)
  tables.check([_free('a', items.Items(2, end='continue')), _free('b', items.Items(3, end='continue'))], slots=4)
  tables.check([], slots=1)


# --- Batches of tables whose items wear out ---


@pytest.mark.parametrize(
  'table, batch_size, most',
  [
    (tables.queue(PAIRS, 8), 8, 8),
    (tables.Table(PAIRS, tables.queue_limiter(8), 5, max_times_sampled=1), 3, 5),  # Smaller than its own limiter.
    (tables.Table(PAIRS, tables.min_size(1), 6, max_times_sampled=2), 12, 12),
    (tables.Table(PAIRS, tables.sample_to_insert_ratio(4.0, 1, 96.0), 1000, max_times_sampled=4), 97, 97),
    (tables.Table(PAIRS, tables.sample_to_insert_ratio(0.5, 1, 1.5), 1000, max_times_sampled=1), 4, 4),
  ],
)
def test_a_batch_that_could_never_be_filled_is_refused(table, batch_size, most):
  tables.check_batch(table, batch_size)
  _refused(lambda: tables.check_batch(table, most + 1), 'holds at most', f'less than a batch of {most + 1}')


def test_any_batch_may_be_sampled_where_items_stay():
  tables.check_batch(tables.Table(PAIRS, tables.sample_to_insert_ratio(1.0, 1, 1.0), 5), 10_000)


def _walk(table, batch_size, choose, moves=60):
  """Inserts and whole batches in any order; whether one of them was always possible."""
  store = numpy_rows.RowStore(CODEC)
  rows = np.full(2, store.add({name: column[0] for name, column in CODEC.rows(1).items()}))
  driven = numpy_table.NumpyTable(table, store, seed=0)
  for _ in range(moves):
    insert, sample = driven.can_insert(), driven.can_sample(batch_size)
    if not (insert or sample):
      return False
    if insert and (not sample or choose()):
      driven.insert(rows)
    else:
      driven.sample(batch_size, 0)
  return True


def test_no_table_and_batch_that_are_accepted_ever_stop_both_sides():
  """Neither where the actors go first, nor where the learner does, nor in between."""
  random = np.random.default_rng(0)
  orders = [lambda: True, lambda: False, lambda: random.random() < 0.7]
  accepted = refused = stopped = 0
  cases = itertools.product([0.3, 1.0, 2.0], [1, 2], [1, 3], [1.0, 2.5, 6.0], [3, 40], [1, 2, 4, 8])
  for ratio, times, min_size, buffer, max_size, batch_size in cases:
    if buffer < max(1.0, ratio) or times < ratio:
      continue
    limiter = tables.sample_to_insert_ratio(ratio, min_size, buffer)
    table = tables.Table(PAIRS, limiter, max_size, sampler=tables.Fifo(), max_times_sampled=times)
    ran = all(_walk(table, batch_size, order) for order in orders)
    try:
      tables.check_batch(table, batch_size)
      accepted += 1
      assert ran, (table, batch_size)
    except errors.UserError:
      refused += 1
      stopped += not ran
  assert accepted > 100
  assert stopped > refused / 2  # The rule is only sufficient.


def test_the_room_of_a_queue_is_for_what_one_round_inserts_over_its_limit():
  assert tables.queue(items.Items(10), 3).max_size == 3 + 3 * 10
  assert tables.queue(items.Items(10, period=4), 3).max_size == 3 + 3 * math.ceil(10 / 4)
  assert tables.queue(items.Items(None), 3).max_size == 6


# --- The same, as Reverb's ---


def test_reverb_takes_every_kind_of_table():
  selectors = [tables.Uniform(), tables.Prioritized(0.5), tables.Fifo(), tables.Lifo()]
  limiters = [tables.min_size(2), tables.sample_to_insert_ratio(0.3, 2, 1.0), tables.queue_limiter(4)]
  limiters.append(tables.Limiter(2.0, 1, -sys.float_info.max, 5.0))
  described = [
    tables.Table(rule, limiter, 10, f'{i}', sampler, remover, 2)
    for i, (rule, limiter, sampler, remover) in enumerate(
      itertools.product([PAIRS, items.Items(None)], limiters, selectors, [s for s in selectors if s != selectors[1]])
    )
  ]
  made = reverb_tables.server_tables(described, CODEC)
  assert [table.name for table in made] == [table.name for table in described]


@pytest.mark.parametrize('samples_per_insert', [0.25, 0.5, 1.0, 3.5, 32.0])
@pytest.mark.parametrize('min_size', [1, 100])
@pytest.mark.parametrize('batch_size', [1, 256])
def test_a_tolerant_ratio_always_has_room_for_a_batch(samples_per_insert, min_size, batch_size):
  limiter = tables.tolerant_ratio(samples_per_insert, 0.0, min_size, batch_size)
  assert limiter.high - limiter.low >= 2 * batch_size


def test_the_tolerance_is_a_share_of_the_first_samples():
  limiter = tables.tolerant_ratio(8.0, 0.1, min_size=1_000, batch_size=32)
  assert (limiter.low, limiter.high) == (8.0 * 1_000 - 800, 8.0 * 1_000 + 800)


@pytest.mark.parametrize(
  'limiter, times, batch_size, batches, needed',
  [
    (tables.min_size(100), 0, 32, 1, 100),
    (tables.min_size(100), 0, 32, 9, 100),
    (tables.min_size(10), 1, 32, 1, 32),
    (tables.min_size(10), 2, 32, 3, 48),
    (tables.queue_limiter(8), 1, 8, 1, 8),
    (tables.sample_to_insert_ratio(0.5, 100, 10.0), 0, 4, 1, 100),
    (tables.sample_to_insert_ratio(0.5, 100, 10.0), 0, 32, 2, 146),  # (50 - 10 + 1 + 32) / 0.5
  ],
)
def test_so_many_items_are_needed_for_a_batch(limiter, times, batch_size, batches, needed):
  table = tables.Table(items.Items(2), limiter, 1000, max_times_sampled=times)
  assert tables.items_needed(table, batch_size, batches) == needed


def test_the_realized_ratio_leaves_out_what_the_limiter_does():
  # 1,000 items, of which the first 100 are waited for; 16 samples of each of the others.
  assert tables.sample_to_insert_ratio(16.0, 100, 160.0).realized(1_000, 16 * 901) == 16.0
  assert tables.sample_to_insert_ratio(16.0, 100, 160.0).realized(99, 0) == 0.0
  assert tables.sample_to_insert_ratio(16.0, 100, 160.0).prefilled(400).realized(1_000, 16 * 601) == 16.0
  assert tables.queue_limiter(8).realized(50, 50) == 1.0  # Of a queue all count.
  assert math.isnan(tables.queue_limiter(8).realized(math.nan, math.nan))
