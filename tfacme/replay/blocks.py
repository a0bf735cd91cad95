"""Blocks: packed rows of some recorded episodes, in memory, with the items that lie in them."""

from __future__ import annotations

from typing import Iterator, List, NamedTuple

import numpy as np
import tree

from tfacme import core
from tfacme.replay import ahead, packing, streams
from tfacme.replay.items import Index, Items


class Block(NamedTuple):
  """Rows, and where their items lie.

  Attributes:
    columns: {column: packed rows}.
    index: of the items.
    memory: what the rows lie in, for another block once this one is read.
  """

  columns: streams.Columns
  index: Index
  memory: streams.Columns

  def items(self, codec: packing.Codec, items: Items, starts: np.ndarray) -> streams.Columns:
    """The items that begin in these rows, packed, in their order."""
    which, before, rows = codec.which(items), items.stack - 1, self.index.rows(starts)
    return {name: packing.take(column, rows, which[name], before) for name, column in self.columns.items()}


def of_episodes(
  episodes: Iterator[core.Step],
  codec: packing.Codec,
  items: Items,
  most: int,
  give_way: ahead.GiveWay,
  spare: List[streams.Columns],
) -> Iterator[Block]:
  """Blocks of whole episodes, in their order.

  Args:
    episodes: each with leaves [T + 1, ...].
    codec: of their rows.
    items: which rows make an item.
    most: rows of a block; it has more only where a single episode does.
    give_way: is called before each episode.
    spare: memory of blocks that are read, which is taken from there and filled again: new memory costs as much again.
  """
  filling = None
  for episode in episodes:
    give_way()
    if filling is not None and not filling.has_room(len(episode.last)):
      yield filling.block(items)
      filling = None
    filling = filling or _Filling(codec, max(most, len(episode.last)), spare)
    filling.add(episode)
  if filling is not None:
    yield filling.block(items)


class _Filling:
  """A block that is being filled."""

  def __init__(self, codec: packing.Codec, rows: int, spare: List[streams.Columns]):
    self._codec = codec
    self._rows = rows
    self._columns = spare.pop() if spare else {}
    if len(self._columns.get('rest', ())) < rows:
      self._columns = codec.rows(rows)  # Memory that is never written to is never taken.
    steps, self._versions = codec.views(self._columns)
    self._lasts, self._leaves = steps.last, tree.flatten(steps)
    self._filled = 0

  def has_room(self, rows: int) -> bool:
    """Whether so many more rows fit."""
    return self._filled + rows <= self._rows

  def add(self, episode: core.Step) -> None:
    rows = len(episode.last)
    here = slice(self._filled, self._filled + rows)
    for view, leaf in zip(self._leaves, tree.flatten(episode)):
      view[here] = leaf
    self._versions[here] = packing.RECORDED
    past = np.minimum(np.arange(rows), self._codec.stack - 1)
    self._codec.mark({name: column[here] for name, column in self._columns.items()}, past)
    self._filled += rows

  def block(self, items: Items) -> Block:
    """What it was filled with."""
    lasts = np.array(self._lasts[: self._filled])
    columns = {name: column[: self._filled] for name, column in self._columns.items()}
    return Block(columns, Index(lasts, items), self._columns)


def most_rows(codec: packing.Codec, size: int) -> int:
  """How many packed rows take so many bytes; one at least."""
  return max(1, size // sum(column.bytes for column in codec.columns.values()))
