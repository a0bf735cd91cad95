"""One table of a replay in numpy arrays: which items it holds, and which of them a sample takes."""

from __future__ import annotations

import collections
import dataclasses
import json
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np

from tfacme.replay import array_file, packing, streams, tables
from tfacme.replay.numpy_rows import FIRST_CAPACITY, RowStore, enlarge, grown
from tfacme.replay.sum_tree import SumTree


@dataclasses.dataclass
class Read:
  """A batch as it was read; see `streams.Read`."""

  columns: streams.Columns
  info: np.ndarray
  keys: np.ndarray
  positions: np.ndarray  # where the items were
  removals: int  # of the table until then: while there is no other, items stay where they are


class NumpyTable:
  """One table: items by position 0, 1, ... without gaps, and by age."""

  def __init__(self, table: tables.Table, store: RowStore, seed: int):
    self.table = table
    self._prioritized = table.prioritized
    self._store = store
    self._which = store.codec.which(table.items)
    self._before = table.items.stack - 1  # row numbers of each item that are there for their frames only
    self._random = np.random.default_rng(seed)
    self._clear()

  def _clear(self) -> None:
    table = self.table
    self._rows: List[Optional[np.ndarray]] = []  # row numbers of each item
    width = self._before + table.items.length if table.items.length else 0
    self._fixed = np.zeros((FIRST_CAPACITY, width), np.int64)  # the same, of items of one length
    self._keys = np.zeros(FIRST_CAPACITY, np.uint64)
    self._priorities = np.zeros(FIRST_CAPACITY)
    self._times = np.zeros(FIRST_CAPACITY, np.int64)
    self._by_age: collections.OrderedDict[int, int] = collections.OrderedDict()  # key -> position
    self._tree = SumTree()
    self._changed: List[int] = []  # positions whose weight in the tree is out of date
    self._highest = 1.0  # priority of all that there were: what a new item gets (Schaul et al. 2016, algorithm 1)
    self._removals = 0
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

  def insert(self, rows: Sequence[int]) -> None:
    """Adds an item of these row numbers, as `items.index` has them, with the highest priority so far.

    Removes one if there are then too many.
    """
    position, key = len(self._by_age), self.inserts
    if position == len(self._keys):
      self._grow()
    self._store.hold(rows)
    if self.table.items.length is None:
      self._rows.append(np.array(rows, np.int64))
    else:
      self._fixed[position] = rows
    self._keys[position], self._priorities[position], self._times[position] = key, self._highest, 0
    self._by_age[key] = position
    self._touch(position)
    self.inserts += 1
    if position >= self.table.max_size:  # As in Reverb, it may be the new one.
      self._remove(int(self._choose(self.table.remover, 1)[0]))

  def sample(self, batch_size: int, now: int) -> Read:
    """A batch, packed."""
    removals = self._removals  # before its own draws, which may remove items and move others
    if self.table.max_times_sampled and isinstance(self.table.sampler, (tables.Uniform, tables.Prioritized)):
      # One by one, since an item that was sampled often enough is no longer there for the rest of the batch.
      draws = [self._draw(1) for _ in range(batch_size)]
      rows = [item for items, _, _ in draws for item in items]
      positions = np.concatenate([drawn for _, drawn, _ in draws])
      facts = {name: np.concatenate([np.ravel(drawn[name]) for _, _, drawn in draws]) for name in draws[0][2]}
    else:
      rows, positions, facts = self._draw(batch_size)
    info = packing.pack_info(batch_size, now, **facts)
    return Read(self._gather(rows), info, facts['key'], positions, removals)

  def set_priorities(self, read: Read, priorities: np.ndarray) -> None:
    """Gives the items of a batch new priorities [B]; skips those that are gone."""
    positions = read.positions
    if self._prioritized:
      self._highest = max(self._highest, float(np.maximum.reduce(priorities)))
    if read.removals != self._removals and self._moved(read):
      positions = np.array([self._by_age.get(key, -1) for key in read.keys.tolist()], np.int64)
      positions, priorities = positions[positions >= 0], priorities[positions >= 0]
    self._priorities[positions] = priorities
    if self._prioritized:
      self._changed.extend(positions.tolist())

  def _moved(self, read: Read) -> bool:
    """Whether some items of a batch are elsewhere by now, or gone."""
    moved = self._keys.take(read.positions) != read.keys
    return np.logical_or.reduce(moved) or np.maximum.reduce(read.positions) >= self.size

  def numbers(self) -> Iterator[np.ndarray]:
    """The row numbers of all items by age, one item after the other, in pieces."""
    positions = self._ages()
    if self.table.items.length is None:
      return (self._item(position) for position in positions.tolist())
    parts = array_file.slices(len(positions), self._fixed[:1].nbytes)
    return (self._fixed.take(positions[part], axis=0).reshape(-1) for part in parts)

  def save(self, file: array_file.ArrayWriter, renumbered: np.ndarray) -> None:
    """Writes everything, items by age; `renumbered` gives the numbers that rows have in the file."""
    positions = self._ages()
    lengths = np.fromiter((len(self._item(position)) for position in positions.tolist()), np.int64, self.size)
    random = np.frombuffer(json.dumps(self._random.bit_generator.state).encode(), np.uint8)
    arrays = {
      'positions': positions,  # They decide which item a random number picks.
      'keys': self._keys[positions],
      'priorities': self._priorities[positions],
      'times': self._times[positions],
      'lengths': lengths,
      'counts': np.array([self.inserts, self.samples]),
      'highest': np.array([self._highest]),
      'random': random,
    }
    for name, array in arrays.items():
      file.write(f'{self.table.name}/{name}', array.dtype, array.shape, [array])
    pieces = (renumbered.take(piece) for piece in self.numbers())
    file.write(f'{self.table.name}/numbers', renumbered.dtype, (int(lengths.sum()),), pieces)

  def restore(self, file: array_file.ArrayReader, holds: np.ndarray) -> None:
    """Restores what `save` wrote, and counts in `holds` [rows] how often each row is held."""
    names = ('positions', 'keys', 'priorities', 'times', 'lengths', 'counts', 'highest', 'random')
    state = {name: file.read(f'{self.table.name}/{name}') for name in names}
    self._clear()
    positions = state['positions']
    while len(self._keys) < len(positions):
      self._grow()
    for array, name in ((self._keys, 'keys'), (self._priorities, 'priorities'), (self._times, 'times')):
      array[positions] = state[name]
    self._by_age = collections.OrderedDict(zip(state['keys'].tolist(), positions.tolist()))
    self._restore_numbers(file, positions, state['lengths'], holds)
    self.inserts, self.samples = state['counts'].tolist()
    self._highest = float(state['highest'][0])
    self._random.bit_generator.state = json.loads(state['random'].tobytes().decode())
    if self._prioritized:
      self._changed = list(range(self.size))

  def _restore_numbers(
    self, file: array_file.ArrayReader, positions: np.ndarray, lengths: np.ndarray, holds: np.ndarray
  ) -> None:
    name = f'{self.table.name}/numbers'
    if self.table.items.length is None:
      numbers = file.read(name).astype(np.int64)
      holds += np.bincount(numbers, minlength=len(holds))
      items = np.split(numbers, np.cumsum(lengths)[:-1]) if len(lengths) else []
      self._rows = [items[i] for i in np.argsort(positions).tolist()]
      return
    length, start = self._fixed.shape[1], 0
    with file.pieces(name, multiple=length) as (_, pieces):
      for piece in pieces:
        holds += np.bincount(piece, minlength=len(holds))
        end = start + len(piece) // length
        self._fixed[positions[start:end]] = piece.reshape(-1, length)
        start = end

  def _ages(self) -> np.ndarray:
    """The positions of all items, the oldest first."""
    return np.fromiter(self._by_age.values(), np.int64, self.size)

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
    if self._prioritized:
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
    return {n: packing.take(column, rows, self._which[n], self._before) for n, column in self._store.columns.items()}

  def _count(self, positions: np.ndarray) -> None:
    """Counts samples, and removes the items that were sampled often enough."""
    np.add.at(self._times, positions, 1)
    worn = np.unique(positions[self._times[positions] >= self.table.max_times_sampled])
    for position in worn[::-1].tolist():  # from behind, since a removal moves the last item
      self._remove(position)

  def _remove(self, position: int) -> None:
    self._removals += 1
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
    size = min(grown(len(self._keys)), self.table.max_size + 1)  # One more goes before one is removed.
    for array in (self._keys, self._priorities, self._times, self._fixed):
      enlarge(array, size)
