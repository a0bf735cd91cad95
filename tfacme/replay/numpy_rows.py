"""Packed rows in memory, each of them once, for the tables of a replay in one thread."""

from __future__ import annotations

from typing import List, Sequence

import numpy as np

from tfacme.replay import packing, streams

_FIRST_CAPACITY = 1024


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
