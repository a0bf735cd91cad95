"""Replay in preallocated numpy arrays, for a replay and clients that share a process and a thread.

Rows are stored once, whichever items they belong to; an item is the numbers of its rows. So overlapping sequences and
n-step items cost no memory twice. Nothing here waits: a side that the rate limiter holds is told so.
"""

from __future__ import annotations

import collections
import os
import zipfile
from typing import Any, Deque, Dict, List, Optional, Sequence, Union

import numpy as np

from tfacme import checkpoints, core
from tfacme.replay import packing, streams, tables
from tfacme.replay.numpy_rows import RowStore
from tfacme.replay.numpy_table import NumpyTable, Read

_FILE = 'replay.npz'


class NumpyWriter:
  """Writes one stream; see `streams.StreamWriter`."""

  def __init__(self, store: RowStore, numpy_tables: Sequence[NumpyTable]):
    self._store = store
    self._tables = numpy_tables
    self._cutter = streams.Cutter([t.table for t in numpy_tables])
    lengths = [t.table.items.length for t in numpy_tables]
    self._lengths = lengths
    self._keep = None if None in lengths else max(lengths, default=0)  # rows that an item to come may need
    self._runs_on = any(t.table.items.end == 'continue' for t in numpy_tables)
    self._rows: Deque[int] = collections.deque()  # newest last; a repeated row stands here again

  def append(self, row: streams.Columns, last: bool) -> None:
    """Adds a row, and at the end of an episode whatever items it completes."""
    self._push(self._store.add(row), self._cutter.advance(last))
    if last:
      for due in self._cutter.finish():
        self._push(self._rows[-1], due)
      if not self._runs_on:
        while self._rows:
          self._drop()

  def flush(self, wait: float, everything: bool = False) -> Optional[core.Blocked]:
    """Whether the rate limiters allow one more item in each table; never waits, and holds nothing back."""
    del wait
    if everything:
      return None
    for table in self._tables:
      if not table.can_insert():
        return core.Blocked(f'the learner to sample from {table.table.name!r} (the rate limiter holds inserts)')
    return None

  def _push(self, number: int, due: Sequence[bool]) -> None:
    self._rows.append(number)
    for table, length, is_due in zip(self._tables, self._lengths, due):
      if is_due:
        rows = list(self._rows) if length is None else [self._rows[i] for i in range(-length, 0)]
        table.insert(rows)
    while self._keep is not None and len(self._rows) > self._keep:
      self._drop()

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
    """Whether there is no more to read until somebody inserts; so it is whenever `read` was blocked."""
    return not self._table.can_sample(self._batch_size)

  def write_priorities(self, read: Any, priorities: np.ndarray) -> None:
    """Gives the items of a batch new priorities [B]."""
    self._table.set_priorities(read.keys, read.positions, priorities)

  def state(self) -> None:
    """None: all that is saved of it is in its table."""

  def set_state(self, state: Any) -> None:
    """See `state`."""


def can_restore(path: str) -> bool:
  """Whether what is in the folder `path` was written by `NumpyReplay.save`."""
  return os.path.exists(os.path.join(path, _FILE))


class NumpyReplay:
  """All tables of a run over one store of rows; see `streams.Replay`."""

  def __init__(self, codec: packing.Codec, described: Sequence[tables.Table], seed: int):
    self.codec = codec
    self._store = RowStore(codec)
    self._tables = [NumpyTable(table, self._store, seed + i) for i, table in enumerate(described)]

  def writer(self) -> NumpyWriter:
    """A writer for one stream."""
    return NumpyWriter(self._store, self._tables)

  def reader(self, table: tables.Table, batch_size: int) -> NumpyReader:
    """A reader of batches from a table."""
    return NumpyReader(self.codec, self._named(table.name), batch_size)

  def usage(self) -> Dict[str, streams.Usage]:
    """How much each table is used."""
    return {t.table.name: streams.Usage(t.size, t.table.max_size, t.inserts, t.samples) for t in self._tables}

  def state(self) -> Dict[str, np.ndarray]:
    """All items with their rows, priorities and counts, in a canonical order, so that equal states are equal."""
    state: Dict[str, np.ndarray] = {}
    numbers: List[np.ndarray] = []
    for table in self._tables:
      arrays, items = table.state()
      state.update({f'{table.table.name}/{name}': array for name, array in arrays.items()})
      state[f'{table.table.name}/lengths'] = np.array([len(rows) for rows in items], np.int64)
      numbers.append(np.concatenate(items) if items else np.zeros(0, np.int64))
    kept, first, inverse = np.unique(np.concatenate(numbers), return_index=True, return_inverse=True)
    order = np.argsort(first)  # rows in the order in which the items name them
    renumbered = np.argsort(order)[inverse]
    state['numbers'] = renumbered
    state.update({f'rows/{n}': column[kept[order]] for n, column in self._store.columns.items()})
    return state

  def save(self, path: str) -> str:
    """Writes `state` into the folder `path` and returns its digest."""
    state = self.state()
    # As `np.savez` does, which leaves it to the garbage collector to fail once more where the disk is full.
    with zipfile.ZipFile(os.path.join(path, _FILE), 'w') as archive:
      for name, array in state.items():
        with archive.open(f'{name}.npy', 'w', force_zip64=True) as file:
          np.lib.format.write_array(file, array, allow_pickle=False)
    return checkpoints.digest(state)

  def restore(self, path: str) -> str:
    """Takes back what `save` wrote, before anybody writes, and returns the digest of the state that it then has."""
    with np.load(os.path.join(path, _FILE)) as file:
      state = {name: file[name] for name in file.files}
    self._store.replace({name: state[f'rows/{name}'] for name in self._store.columns})
    start = 0
    for table in self._tables:
      name = table.table.name
      lengths = state[f'{name}/lengths']
      ends = start + np.cumsum(lengths)
      items = [state['numbers'][end - length : end] for end, length in zip(ends, lengths)]
      start += int(lengths.sum())
      table.set_state({k[len(name) + 1 :]: v for k, v in state.items() if k.startswith(f'{name}/')}, items)
    return checkpoints.digest(self.state())

  def _named(self, name: str) -> NumpyTable:
    return next(table for table in self._tables if table.table.name == name)
