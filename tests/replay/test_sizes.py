"""How much memory a replay will take, against hand-worked numbers and against replays that are full."""

import dataclasses
import tracemalloc

import numpy as np
import pytest
from dm_env import specs as dm_specs

from tests.replay import replay_testing as testing
from tfacme.replay import items, numpy_replay, packing, sizes, tables

PICTURE = testing.SPEC._replace(observation=dm_specs.Array((84, 84, 1), np.uint8), extras={})


def _table(rule, max_size, limiter=tables.min_size(1), **options):
  return tables.Table(rule, limiter, max_size, **options)


def _codec(*described, spec=testing.SPEC):
  return packing.Codec.of(spec, [table.items for table in described])


def _row_bytes(codec):
  return sum(layout.bytes for layout in codec.columns.values()) + 8


@pytest.mark.parametrize(
  'rule, max_size, steps, rows, items_, width',
  [
    (items.Items(2), 500, 10**9, 501, 500, 2),  # The newest item has a row beside its own first one.
    (items.Items(4, observations='ends'), 500, 10**9, 503, 500, 4),
    (items.Items(2, stack=4), 500, 10**9, 504, 500, 5),
    (items.Items(81, period=40), 20, 10**9, 20 * 40 + 41, 20, 81),  # Each begins 40 rows after the one before.
    (items.Items(33, period=32, end='continue'), 16, 10**9, 16 * 32 + 1, 16, 33),
    (items.Items(2), 10**6, 300, 300, 300, 2),  # More is not written.
    (items.Items(None), 100, 10**9, 200, 100, 2),  # The shortest episodes.
  ],
)
def test_rows_and_items_are_counted(rule, max_size, steps, rows, items_, width):
  described = _table(rule, max_size)
  codec = _codec(described)
  capacity = 1024  # for which there is room at first
  assert rows <= capacity
  wanted = capacity * _row_bytes(codec) + items_ * (sizes._ITEM_BYTES + 8 * width)
  assert sizes.at_most([described], codec, steps) == wanted


def test_tables_of_one_stream_share_rows_and_others_do_not():
  one, other = _table(items.Items(2), 50_000), _table(items.Items(4), 40_000, name='other')
  apart = dataclasses.replace(other, written_by='demonstrations', limiter=tables.min_size(1).prefilled(40_000))
  codec = _codec(one, other)
  alone, beside, shared, both = (
    sizes.at_most(described, codec, 10**9) for described in ([one], [other], [one, other], [one, apart])
  )
  per_item = 40_000 * (sizes._ITEM_BYTES + 8 * 4)
  assert shared == alone + per_item
  assert both == alone + beside


def test_a_prefill_counts_and_what_nobody_acts_for_does_not():
  table = _table(items.Items(2), 100_000, written_by='demonstrations')
  codec = _codec(table)
  few = sizes.at_most([table], codec, 10**9)
  filled = sizes.at_most([dataclasses.replace(table, limiter=table.limiter.prefilled(60_000))], codec, 10**9)
  assert few < 1024 * _row_bytes(codec) + 1 < 60_000 * _row_bytes(codec) < filled


def test_atari_takes_what_the_readme_says():
  """A million frames, each stored once: 7.9 GB in README; and 28 GB where the environment stacks them."""
  table = _table(items.Items(4, observations='ends', stack=4), 10**6)
  codec = _codec(table, spec=PICTURE)
  assert 7.4e9 < sizes.at_most([table], codec, 10**7) < 8.3e9
  stacked = PICTURE._replace(observation=dm_specs.Array((84, 84, 4), np.uint8))
  table = _table(items.Items(4, observations='ends'), 10**6)
  assert 28e9 < sizes.at_most([table], _codec(table, spec=stacked), 10**7) < 32e9


@pytest.mark.parametrize('rule', [items.Items(2), items.Items(4, stack=4), items.Items(9, period=4)])
def test_a_full_replay_takes_that(rule):
  table = _table(rule, 3_000)
  codec = _codec(table)
  tracemalloc.start()
  try:
    replay = numpy_replay.NumpyReplay(codec, [table], 0)
    writer = replay.writer()
    row = {name: column[0] for name, column in codec.rows(1).items()}
    for step in range(5_000 * rule.period):
      writer.append(row, step == 5_000 * rule.period - 1)
    taken, _ = tracemalloc.get_traced_memory()
  finally:
    tracemalloc.stop()
  assert replay.usage()['replay'].size == 3_000
  assert 0.85 < taken / sizes.at_most([table], codec, 10**9) < 1.15
