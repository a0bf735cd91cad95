"""Replay in preallocated numpy arrays, for one thread at a time.

Rows are stored once, whichever items they belong to; an item is the numbers of its rows. So overlapping sequences and
n-step items cost no memory twice. Nothing here waits: a side that the rate limiter blocks is told so.
"""

from __future__ import annotations

import collections
import os
from typing import Any, Deque, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from tfacme import core
from tfacme.replay import array_file, packing, streams, tables
from tfacme.replay.items import Items
from tfacme.replay.numpy_rows import RowStore
from tfacme.replay.numpy_table import NumpyTable, Read

_FILE = 'replay.npz'


class NumpyWriter:
  """Writes one stream; see `streams.StreamWriter`."""

  def __init__(self, store: RowStore, numpy_tables: Sequence[NumpyTable]):
    self._store = store
    self._tables = numpy_tables
    self._cutter = streams.Cutter([t.table for t in numpy_tables])
    rules = [t.table.items for t in numpy_tables]
    self._marker = streams.Marker(store.codec) if store.codec.stack > 1 else None
    # Rows of each item, with those in front that are there for their frames only; None if it has all.
    self._sizes = [rule.length and rule.stack - 1 + rule.length for rule in rules]
    self._keep = None if None in self._sizes else max(self._sizes, default=0)  # rows that an item to come may need
    self._runs_on = any(t.table.items.end == 'continue' for t in numpy_tables)
    self._rows: Deque[int] = collections.deque()  # newest last; a repeated row stands here again

  def append(self, row: streams.Columns, last: bool) -> None:
    """Adds a row, and at the end of an episode whatever items it completes."""
    if self._marker is not None:
      self._marker.mark(row, last)
    self._push(self._store.add(row), self._cutter.advance(last))
    if last:
      for due in self._cutter.finish():
        self._push(self._rows[-1], due)
      if not self._runs_on:
        self.close()

  def flush(self, wait: float, everything: bool = False) -> Optional[core.Blocked]:
    """Whether the rate limiters allow one more item in each table; never waits, and buffers nothing."""
    del wait
    if everything:
      return None
    for table in self._tables:
      if not table.can_insert():
        return core.Blocked(f'the learner to sample from {table.table.name!r} (the rate limiter holds inserts)')
    return None

  def close(self) -> None:
    """Releases the rows that an item to come would have needed."""
    while self._rows:
      self._drop()

  def _push(self, number: int, due: Sequence[bool]) -> None:
    kept = self._rows
    kept.append(number)
    if True in due:  # Most rows of long items complete none.
      for table, size, is_due in zip(self._tables, self._sizes, due):
        if is_due:
          enough = size is not None and len(kept) >= size
          table.insert([kept[i] for i in range(-size, 0)] if enough else self._first_item(table.table.items, size))
    while self._keep is not None and len(kept) > self._keep:
      self._drop()

  def _first_item(self, items: Items, size: Optional[int]) -> List[int]:
    """All rows that there are; what lacks before the first of the episode is that one again."""
    lack = items.stack - 1 if size is None else size - len(self._rows)
    return [self._rows[0]] * lack + list(self._rows)

  def _drop(self) -> None:
    number = self._rows.popleft()
    if not (self._rows and self._rows[0] == number):  # the last of a row that stands here more than once
      self._store.release([number])


class NumpyReader:
  """Reads batches from one table; see `streams.Reader`."""

  def __init__(self, codec: packing.Codec, table: NumpyTable, batch_size: int):
    self.codec = codec
    self._table = table
    self._batch_size = batch_size
    self._blocked = core.Blocked(f'the actors to insert into {table.table.name!r} (the rate limiter holds samples)')

  def read(self, wait: float, now: int) -> Union[Read, core.Blocked]:
    """A batch, or what it waits for; never waits."""
    del wait
    if not self._table.can_sample(self._batch_size):
      return self._blocked
    return self._table.sample(self._batch_size, now)

  def exhausted(self) -> bool:
    """Whether there is no more to read until something is inserted; so it is whenever `read` was blocked."""
    return not self._table.can_sample(self._batch_size)

  def write_priorities(self, read: Any, priorities: np.ndarray) -> None:
    """Gives the items of a batch new priorities [B]."""
    self._table.set_priorities(read, priorities)

  def state(self) -> None:
    """None: all that is saved of it is in its table."""

  def set_state(self, state: Any) -> None:
    """See `state`."""


def can_restore(path: str) -> bool:
  """Whether what is in the folder `path` was written by `NumpyReplay.save`."""
  return os.path.exists(os.path.join(path, _FILE))


class NumpyReplay:
  """All tables of a run over one store of rows; see `streams.Replay`."""

  kind = 'numpy'

  def __init__(self, codec: packing.Codec, described: Sequence[tables.Table], seed: int):
    self.codec = codec
    self._store = RowStore(codec)
    self._tables = [NumpyTable(table, self._store, seed + i) for i, table in enumerate(described)]

  def writer(self, role: str = 'actor') -> NumpyWriter:
    """A writer for one stream of a role."""
    return NumpyWriter(self._store, [table for table in self._tables if role in table.table.written_by])

  def reader(self, table: tables.Table, batch_size: int) -> NumpyReader:
    """A reader of batches from a table."""
    return NumpyReader(self.codec, self._named(table.name), batch_size)

  def has_room(self) -> bool:
    """Whether some table that may hold back who writes does not, at this time."""
    return any(table.table.limiter.bounds_inserts and table.can_insert() for table in self._tables)

  def usage(self) -> Dict[str, streams.Usage]:
    """How much each table is used."""
    return {t.table.name: streams.usage(t.table, t.size, t.inserts, t.samples) for t in self._tables}

  def save(self, path: str) -> str:
    """Writes all items with their rows, priorities and counts into the folder `path`, and returns their digest.

    In a canonical order, so that equal states give equal files: rows in the order in which the items name them first.
    """
    kept, renumbered = self._order()
    with array_file.ArrayWriter(os.path.join(path, _FILE)) as file:
      for name, column in self._store.columns.items():
        pieces = (column.take(kept[part], axis=0) for part in array_file.slices(len(kept), column.shape[1]))
        file.write(f'rows/{name}', column.dtype, (len(kept), column.shape[1]), pieces)
      for table in self._tables:
        table.save(file, renumbered)
      return file.digest

  def restore(self, path: str) -> str:
    """Restores what `save` wrote, before anything is written, and returns the digest of what it read."""
    with array_file.ArrayReader(os.path.join(path, _FILE)) as file:
      self._store.reset()
      for name in self._store.columns:
        with file.pieces(f'rows/{name}') as (count, pieces):
          self._store.fill(name, count, pieces)
      holds = np.zeros(self._store.used, np.int64)
      for table in self._tables:
        table.restore(file, holds)
      self._store.hold_all(holds.tolist())
      return file.digest

  def _order(self) -> Tuple[np.ndarray, np.ndarray]:
    """(the numbers of all rows of items in the order in which they are named first, the place of each number in it)."""
    places = np.full(self._store.used, -1, np.int32)
    kept = [np.zeros(0, np.int64)]
    count = 0
    for table in self._tables:
      for piece in table.numbers():
        new = piece[places[piece] < 0]
        new = new[np.sort(np.unique(new, return_index=True)[1])]
        places[new] = np.arange(count, count + len(new))
        kept.append(new)
        count += len(new)
    return np.concatenate(kept), places

  def _named(self, name: str) -> NumpyTable:
    return next(table for table in self._tables if table.table.name == name)
