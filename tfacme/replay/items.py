"""Which rows of a stream make one item: the rule from which every writer and reader of items is derived."""

from __future__ import annotations

import dataclasses
from typing import List, Literal, Optional, Sequence, Tuple

import numpy as np
import tree

from tfacme import core, errors
from tfacme.environments.wrappers import frame_stacking

_MOST_FRAMES = 256  # of a stack: rows count them in a byte
_PIECE = 1 << 16  # rows


@dataclasses.dataclass(frozen=True)
class Items:
  """Which rows make one item.

  An item starts at every row whose number is a multiple of `period`, if it then holds a real transition. Rows are
  numbered from the start of their episode, or from the start of the stream if items run on into the next episode.

  Attributes:
    length: rows of an item: n + 1 for n-step transitions, burn_in + trace + 1 for sequences, None for whole episodes.
    period: rows between the starts of two items.
    observations: 'all', or 'ends' if only the first and the last observation are kept (n-step transitions).
    once: names of the extras that are kept for the first row of an item only (a recurrent state).
    end: what happens to an item that the end of the episode cuts short: 'pad' fills it up by repeating the row of the
      final observation (so that the last observation of an item is always a real one), 'drop' leaves it out,
      'continue' lets it run on into the next episode (on-policy learning).
    burn_in: rows at the start of an item that are not learned from: there has to be a real transition behind them.
    stack: of how many frames an observation is made; 1 leaves it as it is. The rows hold single frames; what is learned
      from is stacked as `environments.wrappers.FrameStacking` does it.
  """

  length: Optional[int]
  period: int = 1
  observations: Literal['ends', 'all'] = 'all'
  once: Sequence[str] = ()
  end: Literal['pad', 'continue', 'drop'] = 'pad'
  burn_in: int = 0
  stack: int = 1

  def __post_init__(self):
    if self.length is not None:
      errors.count('The length of an item', self.length, low=2)
      errors.count('The burn-in of an item', self.burn_in, low=0)
      errors.in_range('The burn-in of an item', self.burn_in, high=self.length - 2)
    elif (self.period, self.observations, self.end, self.burn_in) != (1, 'all', 'pad', 0):
      raise errors.UserError('Items of whole episodes (length None) have no period, ends, end or burn-in of their own.')
    errors.count('The period of items', self.period)
    errors.count('The stack of items', self.stack)
    errors.in_range('The stack of items', self.stack, high=_MOST_FRAMES)
    object.__setattr__(self, 'once', tuple(self.once))  # so that items are hashable, whatever was given

  def most(self, steps: int) -> int:
    """How many items a stream of so many steps gives at the most, whatever the lengths of its episodes."""
    if self.length is None:
      return steps
    # What the first item takes, and each after it: in the same episode, or in one that is as short as can be.
    if self.end == 'continue':
      steps *= 2  # An episode of a step has two rows.
      first, next_one = self.length, self.period
    else:
      first = self.burn_in + 1 if self.end == 'pad' else self.length - 1
      next_one = min(self.period, first)
    return 0 if steps < first else 1 + (steps - first) // next_one


class Cursor:
  """Says, row by row, when an item of `items` is complete: the one place that knows the rule of starts and ends."""

  def __init__(self, items: Items):
    self._items = items
    self._row = -1  # number of the newest row
    self._start = 0  # where the next item starts
    self._lasts: List[int] = []  # numbers of those rows since `_start` that start no transition

  def advance(self, last: bool) -> bool:
    """Counts one more row and returns whether the newest `length` rows are an item."""
    self._row += 1
    items = self._items
    if items.length is None:
      return last
    if last and items.end == 'continue':
      self._lasts.append(self._row)
    if self._row - self._start != items.length - 1:
      return False
    # Of its rows, all behind the burn-in but the newest could start a transition.
    behind = self._start + items.burn_in
    real = not self._lasts or sum(behind <= row < self._row for row in self._lasts) < self._row - behind
    self._start += items.period
    if self._lasts:
      self._lasts = [row for row in self._lasts if row >= self._start]
    return real

  def finish(self) -> List[bool]:
    """Ends an episode after its `last` row: for each padding row to add, whether it completes an item."""
    items, end = self._items, self._row
    if items.end == 'continue':
      return []
    due = []
    if items.length is not None and items.end == 'pad':
      while self._start + items.burn_in < end:
        due.append(self.advance(last=True))
    self._row, self._start = -1, 0
    return due


def cut(steps: Sequence[core.Step], items: Items) -> List[core.Step]:
  """The items of a stream, computed plainly: the reference for all writers and readers.

  Args:
    steps: rows of one stream, with numpy arrays as leaves; it may hold several episodes and end within one.
    items: which rows make an item.

  Returns:
    Items as steps with leaves [T, ...]; observations [2, ...] where only the ends are kept, [1, ...] for an extra that
    is kept once.
  """
  steps = _stacked(steps, items.stack)
  cut_items = []
  for rows in [list(steps)] if steps and items.end == 'continue' else _episodes(steps):
    if items.length is None:
      cut_items += [_stack(rows, items)] if rows[-1].last else []
      continue
    ended = bool(rows[-1].last) and items.end == 'pad'
    for start in range(0, len(rows), items.period):
      item = rows[start : start + items.length]
      if all(row.last for row in item[items.burn_in : -1]) or (len(item) < items.length and not ended):
        continue
      item += [rows[-1]] * (items.length - len(item))  # the row of the final observation is the padding too
      cut_items.append(_stack(item, items))
  return cut_items


def _episodes(steps: Sequence[core.Step]) -> List[List[core.Step]]:
  episodes: List[List[core.Step]] = [[]]
  for step in steps:
    episodes[-1].append(step)
    if step.last:
      episodes.append([])
  return [episode for episode in episodes if episode]


def _stacked(steps: Sequence[core.Step], count: int) -> Sequence[core.Step]:
  """Rows with stacked observations in the place of single frames."""
  if count == 1:
    return steps
  stacked = []
  for rows in _episodes(steps):
    frames = [rows[0].observation] * (count - 1) + [row.observation for row in rows]
    stacked += [row._replace(observation=frame_stacking.stack(frames[t : t + count])) for t, row in enumerate(rows)]
  return stacked


def _stack(rows: List[core.Step], items: Items) -> core.Step:
  item = tree.map_structure(lambda *leaves: np.stack(leaves), *rows)
  if items.observations == 'ends':
    item = item._replace(observation=tree.map_structure(lambda x: x[[0, -1]], item.observation))
  if items.once:
    first = {name: tree.map_structure(lambda x: x[:1], item.extras[name]) for name in items.once}
    item = item._replace(extras={**item.extras, **first})
  return item


class Index:
  """Where all items lie in whole episodes that lie one after the other.

  Attributes:
    starts: [n], the row in which each begins.
  """

  def __init__(self, last: np.ndarray, items: Items):
    """Args:
    last: bool [rows]; the last row has to end an episode.
    items: which rows make an item; of a fixed length.
    """
    if items.length is None:
      raise errors.UserError('Whole episodes can be sampled from a replay table, but not from recorded data.')
    self._items = items
    self._count = len(last)
    self._ends = np.flatnonzero(last)
    self._begins = np.concatenate([[0], self._ends[:-1] + 1]) if self._count else self._ends
    if items.end == 'continue':
      begins = np.zeros(1, np.int64)
    else:
      begins = self._pieces()
    numbers = np.dtype(np.int32 if self._count < 2**31 else np.int64)  # There are as many of them as rows.
    pieces = (begin + _starts(last[begin:end], items) for begin, end in zip(begins, [*begins[1:], self._count]))
    self.starts = np.concatenate([np.zeros(0, numbers), *(piece.astype(numbers) for piece in pieces)])
    self._reaches_out = self._reaching_out()

  def rows(self, starts: np.ndarray) -> np.ndarray:
    """The row numbers [n, stack - 1 + T] of the items with these starts [n].

    The first stack - 1 of them are the rows before the item, or the first of its episode where there are none.
    """
    items = self._items
    numbers = starts[:, None] + np.arange(1 - items.stack, items.length)
    out = np.flatnonzero(self._reaches_out[starts])
    if len(out):  # Few do: to look all episodes up takes longer than all else.
      begin, end = self._bounds(starts[out])
      numbers[out] = np.clip(numbers[out], begin[:, None], end[:, None])
    return numbers

  def _bounds(self, rows: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """The first and the last row that items which begin in these rows may have, [n] each."""
    if self._items.end == 'continue':
      return np.zeros_like(rows), np.full_like(rows, self._count - 1)
    episode = np.searchsorted(self._ends, rows)
    return self._begins[episode], self._ends[episode]

  def _reaching_out(self) -> np.ndarray:
    """Whether rows of an item that begins in a row may lie outside of its episode, bool [rows]."""
    items, reaching = self._items, np.zeros(self._count, bool)
    one = items.end == 'continue'  # All episodes are as one.
    begins, ends = (self._begins[:1], self._ends[-1:]) if one else (self._begins, self._ends)
    for back in range(items.length - 1):  # type: ignore[operator]
      reaching[np.maximum(ends - back, 0)] = True
    for on in range(items.stack - 1):
      reaching[np.minimum(begins + on, self._count - 1)] = True
    return reaching

  def _pieces(self) -> np.ndarray:
    """Where pieces of whole episodes begin: to look at all rows at once takes more memory than they do themselves."""
    firsts = np.searchsorted(self._begins, np.arange(0, self._count, _PIECE))
    return self._begins[np.unique(firsts[firsts < len(self._begins)])]


def _starts(last: np.ndarray, items: Items) -> np.ndarray:
  """The rows in which items of whole episodes begin."""
  rows = np.arange(len(last))
  begin, end = _bounds(last)
  if items.end == 'continue':
    begin, end = np.zeros_like(rows), np.full_like(rows, len(last) - 1)
  starts = rows[(rows - begin) % items.period == 0]
  if items.end != 'pad':
    starts = starts[starts + items.length - 1 <= end[starts]]  # type: ignore[operator]
  behind = starts + items.burn_in
  if items.end != 'continue':
    return starts[behind < end[starts]]
  transitions = np.concatenate([[0], np.cumsum(~last)])  # before each row
  beyond = np.minimum(starts + items.length - 1, len(last))  # type: ignore[operator]
  return starts[transitions[beyond] > transitions[np.minimum(behind, beyond)]]


def _bounds(last: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
  """Of each row [rows], where its episode begins and where it ends."""
  ends = np.flatnonzero(last)
  episode = np.searchsorted(ends, np.arange(len(last)))
  return np.concatenate([[0], ends[:-1] + 1])[episode], ends[episode]
