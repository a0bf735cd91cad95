"""How much memory a replay takes once it is as full as a run makes it, before anything is written."""

from __future__ import annotations

from typing import Dict, Sequence, Tuple

from tfacme.replay import numpy_rows, packing, tables

# Of an item in numpy beside the numbers of its rows: key, priority, count, and its place by age, which is Python's.
_ITEM_BYTES = 180
_NUMBER_BYTES = 8  # of a row in an item, and of the count of its holders


def at_most(described: Sequence[tables.Table], codec: packing.Codec, steps: int) -> int:
  """Bytes that tables in numpy take in a run of so many steps; through Reverb, those before it compresses them.

  Tables that the same streams are written into share their rows. Of whole episodes it is not known how long they are:
  they count as the shortest.

  Args:
    described: the tables.
    codec: of their rows.
    steps: environment steps of all actors.
  """
  row_bytes = sum(layout.bytes for layout in codec.columns.values()) + _NUMBER_BYTES
  rows: Dict[Tuple[str, ...], int] = {}  # of the streams that a group of writers makes
  item_bytes = 0
  for table in described:
    writers = tuple(sorted(table.written_by))
    acted = steps if 'actor' in writers else 0
    rows[writers] = max(rows.get(writers, 0), _rows(table, acted))
    count = min(table.max_size, table.items.most(acted) + table.limiter.prefill)
    width = (table.items.length or 2) + table.items.stack - 1
    item_bytes += count * (_ITEM_BYTES + _NUMBER_BYTES * width)
  return row_bytes * sum(map(_capacity, rows.values())) + item_bytes


def _rows(table: tables.Table, steps: int) -> int:
  """Rows that a table holds at the most, if episodes are long."""
  items = table.items
  if items.length is None:
    return min(2 * table.max_size, steps + 2 * table.limiter.prefill)
  full = table.max_size * items.period + max(0, items.length - items.period) + items.stack - 1
  return min(full, steps + table.limiter.prefill * items.period)


def _capacity(rows: int) -> int:
  """For how many rows the store has room when it has grown to hold so many."""
  capacity = numpy_rows.FIRST_CAPACITY
  while capacity < rows:
    capacity = numpy_rows.grown(capacity)
  return capacity
