"""Packed rows in memory, each of them once, for the tables of a replay in numpy arrays."""

from __future__ import annotations

from typing import Iterable, List, Sequence

import numpy as np

from tfacme.replay import packing, streams

FIRST_CAPACITY = 1024


class RowStore:
  """Packed rows in columns; a row stays while something holds it."""

  def __init__(self, codec: packing.Codec):
    self.codec = codec
    self.columns = codec.rows(FIRST_CAPACITY)
    self._holds = [0] * FIRST_CAPACITY  # A list: to count a few rows in an array costs many times as much.
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
    """Releases rows; those without a holder are free."""
    holds = self._holds
    for number in numbers:
      holds[number] -= 1
      if not holds[number]:
        self._free.append(number)

  @property
  def used(self) -> int:
    """All row numbers are below it."""
    return self._used

  def reset(self) -> None:
    """Drops all rows."""
    self.columns = self.codec.rows(0)
    self._holds, self._free, self._used = [], [], 0

  def fill(self, name: str, count: int, pieces: Iterable[np.ndarray]) -> None:
    """Gives a column its `count` rows, as they come in pieces one after the other."""
    column, start = self.columns[name], 0
    enlarge(column, count)
    for piece in pieces:
      column[start : start + len(piece)] = piece
      start += len(piece)
    self._used = count

  def hold_all(self, holds: List[int]) -> None:
    """Sets how often each row is held."""
    self._holds = holds

  def _grow(self) -> None:
    size = grown(len(self._holds))
    for column in self.columns.values():
      enlarge(column, size)
    self._holds.extend([0] * (size - len(self._holds)))


def grown(size: int) -> int:
  """To how many entries an array of this size grows: not by much, since it may be most of the memory."""
  return max(FIRST_CAPACITY, size + size // 8)


def enlarge(array: np.ndarray, size: int) -> None:
  """Gives an array more entries, all zero, without a copy of a large one: the system moves its pages."""
  array.resize((size, *array.shape[1:]), refcheck=False)
