"""Replay in preallocated numpy arrays, for a replay and clients that share a process and a thread.

Rows are stored once, whichever items they belong to; an item is the numbers of its rows. So overlapping sequences and
n-step items cost no memory twice. Nothing here waits: a side that the rate limiter holds is told so.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import os
from typing import Any, Deque, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from tfacme import checkpoints, core
from tfacme.replay import packing, streams, tables
from tfacme.replay.sum_tree import SumTree

_FIRST_CAPACITY = 1024
_FILE = 'replay.npz'


class RowStore:
  """Packed rows in columns; a row stays as long as somebody holds it."""

  def __init__(self, codec: packing.Codec):
    self.codec = codec
    self.columns = codec.rows(_FIRST_CAPACITY)
    self._holds = [0] * _FIRST_CAPACITY  # A list: to count a few rows in an array costs many times as much.
    self._free: List[int] = []
    self._used = 0

  def add(self, row: streams.Columns) -> int:
    """Copies a row in and returns its number; the caller holds it once."""
    if self._free:
      number = self._free.pop()
    else:
      if self._used == len(self._holds):
        self._grow()
      number, self._used = self._used, self._used + 1
    for name, column in self.columns.items():
      column[number] = row[name]
    self._holds[number] = 1
    return number

  def hold(self, numbers: Sequence[int]) -> None:
    """Holds rows once more."""
    holds = self._holds
    for number in numbers:
      holds[number] += 1

  def release(self, numbers: Sequence[int]) -> None:
    """Lets go of rows; those that nobody holds are free."""
    holds = self._holds
    for number in numbers:
      holds[number] -= 1
      if not holds[number]:
        self._free.append(number)

  def replace(self, columns: streams.Columns) -> None:
    """Holds just these rows from now on, each of them by nobody yet."""
    self.columns = {name: np.array(column) for name, column in columns.items()}
    self._used = len(self.columns['rest'])
    self._holds = [0] * self._used
    self._free = []

  def _grow(self) -> None:
    size = max(_FIRST_CAPACITY, 2 * len(self._holds))
    for name, rows in self.codec.rows(size).items():
      rows[: self._used] = self.columns[name]
      self.columns[name] = rows
    self._holds.extend([0] * (size - len(self._holds)))


@dataclasses.dataclass
class _Read:
  columns: streams.Columns
  info: np.ndarray
  keys: np.ndarray
  positions: np.ndarray  # where the items were


class NumpyTable:
  """One table: items by position 0, 1, ... without gaps, and by age."""

  def __init__(self, table: tables.Table, store: RowStore, seed: int):
    self.table = table
    self._store = store
    self._which = store.codec.which(table.items)
    self._random = np.random.default_rng(seed)
    self._clear()

  def _clear(self) -> None:
    table = self.table
    self._rows: List[Optional[np.ndarray]] = []  # row numbers of each item
    self._fixed = np.zeros((_FIRST_CAPACITY, table.items.length or 0), np.int64)  # the same, of items of one length
    self._keys = np.zeros(_FIRST_CAPACITY, np.uint64)
    self._priorities = np.zeros(_FIRST_CAPACITY)
    self._times = np.zeros(_FIRST_CAPACITY, np.int64)
    self._by_age: collections.OrderedDict[int, int] = collections.OrderedDict()  # key -> position
    self._tree = SumTree()
    self._changed: List[int] = []  # positions whose weight in the tree is out of date
    self.inserts = 0
    self.samples = 0

  @property
  def size(self) -> int:
    """Items that it holds."""
    return len(self._by_age)

  def can_insert(self) -> bool:
    """Whether the rate limiter allows one more item."""
    return self.table.limiter.can_insert(self.inserts, self.samples, self.size)

  def can_sample(self, batch_size: int) -> bool:
    """Whether a batch may be sampled: it starts when one sample may be taken, if there are enough to take."""
    if not self.table.limiter.can_sample(self.inserts, self.samples, self.size):
      return False
    most = self.table.max_times_sampled
    return not most or self.size * most - int(self._times[: self.size].sum()) >= batch_size

  def insert(self, rows: Sequence[int], priority: float = 1.0) -> None:
    """Adds an item of these row numbers, and removes one if there are then too many."""
    position, key = self.size, self.inserts
    if position == len(self._keys):
      self._grow()
    self._store.hold(rows)
    if self.table.items.length is None:
      self._rows.append(np.array(rows, np.int64))
    else:
      self._fixed[position] = rows
    self._keys[position], self._priorities[position], self._times[position] = key, priority, 0
    self._by_age[key] = position
    self._touch(position)
    self.inserts += 1
    if self.size > self.table.max_size:  # As in Reverb, it may be the new one.
      self._remove(int(self._choose(self.table.remover, 1)[0]))

  def sample(self, batch_size: int, now: int) -> _Read:
    """A batch, packed."""
    if self.table.max_times_sampled and isinstance(self.table.sampler, (tables.Uniform, tables.Prioritized)):
      # One by one, since an item that was sampled often enough is no longer there for the rest of the batch.
      draws = [self._draw(1) for _ in range(batch_size)]
      rows = [item for items, _, _ in draws for item in items]
      positions = np.concatenate([drawn for _, drawn, _ in draws])
      facts = {name: np.array([drawn[name] for _, _, drawn in draws]).reshape(-1) for name in draws[0][2]}
    else:
      rows, positions, facts = self._draw(batch_size)
    return _Read(self._gather(rows), packing.pack_info(batch_size, now, **facts), facts['key'], positions)

  def set_priorities(self, keys: np.ndarray, positions: np.ndarray, priorities: np.ndarray) -> None:
    """Gives the items of `keys` [B], which were at `positions` [B], new priorities; passes over those that are gone."""
    moved = self._keys.take(positions) != keys
    if np.logical_or.reduce(moved) or np.maximum.reduce(positions) >= self.size:  # Some may be gone.
      positions = np.array([self._by_age.get(key, -1) for key in keys.tolist()], np.int64)
      positions, priorities = positions[positions >= 0], priorities[positions >= 0]
    self._priorities[positions] = priorities
    if self.table.prioritized:
      self._changed.extend(positions.tolist())

  def state(self) -> Tuple[Dict[str, np.ndarray], List[np.ndarray]]:
    """(everything but the rows, the row numbers of each item by age)."""
    positions = np.fromiter(self._by_age.values(), np.int64, self.size)
    state = {'keys': self._keys[positions], 'priorities': self._priorities[positions], 'times': self._times[positions]}
    state['positions'] = positions  # They decide which item a random number picks.
    state['counts'] = np.array([self.inserts, self.samples])
    state['random'] = np.frombuffer(json.dumps(self._random.bit_generator.state).encode(), np.uint8)
    return state, [self._item(position) for position in positions.tolist()]

  def set_state(self, state: Mapping[str, np.ndarray], items: Sequence[np.ndarray]) -> None:
    """Takes back what `state` gave."""
    self._clear()
    positions = state['positions']
    for i in np.argsort(positions).tolist():
      self.insert(items[i].tolist(), float(state['priorities'][i]))
    self._by_age = collections.OrderedDict(zip(state['keys'].tolist(), positions.tolist()))
    self._keys[positions], self._times[positions] = state['keys'], state['times']
    self.inserts, self.samples = (int(count) for count in state['counts'])
    self._random.bit_generator.state = json.loads(state['random'].tobytes().decode())

  def _item(self, position: int) -> np.ndarray:
    return self._rows[position] if self.table.items.length is None else self._fixed[position].copy()  # type: ignore[return-value]

  def _draw(self, count: int) -> Tuple[Sequence[np.ndarray], np.ndarray, Dict[str, Any]]:
    """Samples items and counts them: (the row numbers of each [count, T], their positions, what their info says)."""
    positions = self._choose(self.table.sampler, count)
    fixed = self.table.items.length is not None
    rows: Any = (
      self._fixed.take(positions, axis=0) if fixed else [self._item(position) for position in positions.tolist()]
    )
    facts = {'key': self._keys.take(positions), 'probability': self._probability(positions), 'table_size': self.size}
    self.samples += count
    if self.table.max_times_sampled:
      self._count(positions)
    return rows, positions, facts

  def _choose(self, selector: tables.Selector, count: int) -> np.ndarray:
    """Positions [count] as a selector picks them."""
    if isinstance(selector, tables.Prioritized):
      self._refresh()
      if self._tree.total:
        return self._tree.find(self._random.random(count))
    if isinstance(selector, (tables.Prioritized, tables.Uniform)):  # If all priorities are zero they are alike.
      return self._random.integers(0, self.size, count)
    ages = iter(self._by_age.values()) if isinstance(selector, tables.Fifo) else reversed(self._by_age.values())
    most = self.table.max_times_sampled
    positions: List[int] = []
    while len(positions) < count:
      position = next(ages)
      left = most - int(self._times[position]) if most else count
      positions.extend([position] * min(left, count - len(positions)))
    return np.array(positions, np.int64)

  def _touch(self, position: int) -> None:
    if self.table.prioritized:
      self._changed.append(position)
      if len(self._changed) > 4 * len(self._keys):  # Nobody samples.
        self._refresh()

  def _refresh(self) -> None:
    assert isinstance(self.table.sampler, tables.Prioritized)
    changed = np.array(self._changed, np.int64)
    self._changed.clear()
    priorities = self._priorities.take(changed)
    # An item of priority zero is never sampled, whatever the exponent: so it is in Reverb.
    there = (priorities > 0) & (changed < self.size)
    self._tree.set(changed, priorities**self.table.sampler.exponent * there)

  def _probability(self, positions: np.ndarray) -> Union[float, np.ndarray]:
    if isinstance(self.table.sampler, tables.Prioritized) and self._tree.total:
      return self._tree.get(positions) / self._tree.total
    return 1.0 if isinstance(self.table.sampler, (tables.Fifo, tables.Lifo)) else 1.0 / self.size

  def _gather(self, items: Sequence[np.ndarray]) -> Dict[str, np.ndarray]:
    rows = items
    if not isinstance(rows, np.ndarray):
      longest = max(map(len, items))
      # The row of the final observation is the padding too.
      rows = np.stack([np.pad(item, (0, longest - len(item)), mode='edge') for item in items])
    return {n: packing.take(column, rows, self._which[n]) for n, column in self._store.columns.items()}

  def _count(self, positions: np.ndarray) -> None:
    """Counts samples, and removes the items that were sampled often enough."""
    np.add.at(self._times, positions, 1)
    worn = np.unique(positions[self._times[positions] >= self.table.max_times_sampled])
    for position in worn[::-1].tolist():  # from behind, since a removal moves the last item
      self._remove(position)

  def _remove(self, position: int) -> None:
    end = self.size - 1
    self._store.release(self._item(position).tolist())
    del self._by_age[int(self._keys[position])]
    if position != end:
      for array in (self._keys, self._priorities, self._times, self._fixed):
        array[position] = array[end]
      if self._rows:
        self._rows[position] = self._rows[end]
      self._by_age[int(self._keys[position])] = position
      self._touch(position)
    if self._rows:
      self._rows.pop()
    self._touch(end)

  def _grow(self) -> None:
    more = len(self._keys)
    for name in ('_keys', '_priorities', '_times', '_fixed'):
      array = getattr(self, name)
      setattr(self, name, np.concatenate([array, np.zeros((more,) + array.shape[1:], array.dtype)]))


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

  def read(self, wait: float, now: int) -> Union[_Read, core.Blocked]:
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
    np.savez(os.path.join(path, _FILE), **state)
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
