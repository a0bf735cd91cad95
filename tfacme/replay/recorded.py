"""Reading recorded data: batches of items cut from whole episodes, shuffled over blocks of them."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import Any, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
import tree

from tfacme import core, errors, seeds, specs
from tfacme.datasets.episodes import alike, check_values, check_whole_numbers
from tfacme.replay import ahead, blocks, packing, streams
from tfacme.replay.items import Items
from tfacme.replay.relabelling import relabelled

_EPISODE = 'an episode of the data set (tfacme data says which)'


@dataclasses.dataclass(frozen=True)
class Recorded:
  """Recorded data, ready to be read; `resolving.resolve` makes it.

  Attributes:
    items, batch_size, dataset, shuffle_bytes: as of `sources.Data`.
    step_spec: of the rows; extras of it that the data lacks are zeros.
    relabel: rewrites the episodes, and adds to their extras what `step_spec` has of them; or None.
    zeros: names of extras that are zeros, whatever the data have.
  """

  items: Items
  batch_size: int
  dataset: Any
  shuffle_bytes: int
  step_spec: core.Step
  relabel: Optional[core.Relabel] = None
  zeros: Sequence[str] = ()

  def episodes(self, seed: int = 0) -> Iterator[core.Step]:
    """One pass over all episodes, in an order that is a function of the seed, with rows of `step_spec`."""
    added = self.relabel.extras if self.relabel else {}
    taken = self.step_spec
    if added:
      taken = taken._replace(extras={name: spec for name, spec in taken.extras.items() if name not in added})
    taken_episodes = map(_Taker(taken, self.dataset.spec(), self.zeros), self.dataset.episodes(seed))
    for episode in relabelled(taken_episodes, self.relabel, self.step_spec) if self.relabel else taken_episodes:
      check_values(episode, self.step_spec.action, _EPISODE)
      check_whole_numbers(episode, self.step_spec, _EPISODE)
      yield episode

  def lengths(self, seed: int = 0) -> Iterator[int]:
    """The transitions of each episode of such a pass; it is read for that where the data set does not tell them."""
    if self.relabel is None and hasattr(self.dataset, 'lengths'):
      return self.dataset.lengths(seed)
    return (len(episode.last) - 1 for episode in self.episodes(seed))


class _Taker:
  """Takes from recorded episodes what rows of a spec have, and zeros for what was not recorded, or is not to be had."""

  def __init__(self, spec: core.Step, recorded: core.Step, zeros: Sequence[str]):
    self._spec = spec
    self._leaves = tree.flatten(spec)
    refused = [('extras', name) for name in zeros]
    wanted = specs.paths(spec)
    # What an agent does not learn from may be of another shape.
    fits = lambda path, leaf: path in wanted and alike(leaf.shape, wanted[path].shape)
    places = {path: i for i, (path, leaf) in enumerate(specs.paths(recorded).items()) if fits(path, leaf)}
    self._places = [None if tuple(path.split('/')[:2]) in refused else places.get(path) for path in wanted]
    shapes = [[leaf.shape for leaf in tree.flatten(rows)] for rows in (spec, recorded)]
    in_place = self._places == list(range(len(self._leaves))) and shapes[0] == shapes[1]
    self._is_whole = in_place and specs.have_one_structure(spec, recorded)

  def __call__(self, episode: core.Step) -> core.Step:
    if self._is_whole:
      return episode
    recorded, rows = tree.flatten(episode), len(episode.last)
    taken = [
      np.zeros((rows, *leaf.shape), leaf.dtype) if place is None else recorded[place].reshape((rows, *leaf.shape))
      for leaf, place in zip(self._leaves, self._places)
    ]
    return tree.unflatten_as(self._spec, taken)


@dataclasses.dataclass
class _DataRead:
  columns: streams.Columns
  info: np.ndarray


_Start = Tuple[int, int]  # an epoch, and how many items were read before it


class _Read(NamedTuple):
  """A block to be read.

  Attributes:
    block: of episodes.
    starts: of its items, in the order in which they are read.
    start: from where it is read again; None is from the very first epoch on.
    skipped: items before it that were not given, since the reader is to begin behind them.
  """

  block: blocks.Block
  starts: np.ndarray
  start: Optional[_Start]
  skipped: int = 0


class _Piece(NamedTuple):
  """Some batches, side by side.

  Attributes:
    columns: of their items, [items, ...].
    info: of any batch of them; packed once, since that takes longer than all else that is done for a batch.
    start: as of the block.
  """

  columns: streams.Columns
  info: np.ndarray
  start: Optional[_Start]


_PIECE_BATCHES = 32  # at most in a piece: to begin a thread for each batch would take longer than to make it
_PIECE_BYTES = 1 << 24  # at most, but for one batch, and no more than a part of a block
_PIECE_SHARE = 16


class DataReader:
  """Batches of items cut from recorded episodes: shuffled over a block of episodes at a time, epoch after epoch.

  While one block is learned from, the next one is read in a thread, and batches of it are put together in another, some
  of them ahead of the learner. What a batch holds is a function of the seed and of
  how many batches were read before. `state` is that number, and where the epoch began, if there are several blocks:
  epochs may differ in length. So a resumed run reads no more than its own epoch again. A single block keeps the order
  in which it was first read, and its epochs are skipped without a look at them.
  """

  def __init__(self, source: Recorded, seed: int):
    self.codec = packing.Codec.of(source.step_spec, [source.items])
    self._source = source
    self._seed = seed
    self._count = 0
    self._start: Optional[_Start] = None
    self._wait = 0.0
    self._blocks: Optional[ahead.Ahead[_Read]] = None
    self._pieces: Optional[ahead.Ahead[_Piece]] = None
    self._batches = self._read_batches()

  def read(self, wait: float, now: int) -> Union[_DataRead, core.Blocked]:
    """The next batch, or that a block is still being read after `wait` seconds."""
    del now
    self._wait = wait
    batch = next(self._batches)
    if batch is None:
      return core.Blocked('recorded data to be read', passes=True)
    self._count += 1
    return batch

  def exhausted(self) -> bool:
    """Recorded data has no end."""
    return False

  def write_priorities(self, read: Any, priorities: np.ndarray) -> None:
    """Recorded data has no priorities."""

  def state(self) -> Tuple[int, Optional[_Start]]:
    """(batches read, (epoch, items read before it) or None)."""
    return self._count, self._start

  def set_state(self, state: Tuple[int, Any]) -> None:
    """Skips as many batches as `state` says."""
    self._count, start = state
    if isinstance(start, int):  # A run that was saved when each epoch was taken to have so many items.
      epoch = self._count * self._source.batch_size // start
      start = epoch, epoch * start
    self._start = start and tuple(start)
    self.close()

  def close(self) -> None:
    """Reads no further, and drops what was read ahead; it would be read again."""
    for one in (self._blocks, self._pieces):  # The first one first: the other may wait for it.
      if one is not None:
        one.close()
    self._batches = self._read_batches()

  def _read_batches(self) -> Iterator[Optional[_DataRead]]:
    """The batches from the state on, for ever; None while one is waited for."""
    size = self._source.batch_size
    epoch, before = self._start or (0, 0)
    passed = self._count * size - before
    spare: List[streams.Columns] = []
    self._blocks = ahead.Ahead(functools.partial(self._read_blocks, epoch, before, passed, spare))
    self._pieces = pieces = ahead.Ahead(functools.partial(self._read_pieces, self._blocks, passed, spare))
    while True:
      while not pieces.ready(self._wait):
        yield None
      piece = next(pieces)
      for at in range(0, len(piece.columns['rest']), size):
        self._start = piece.start  # Not before: a saved state would count items of the block that are in no batch yet.
        yield _DataRead({name: column[at : at + size] for name, column in piece.columns.items()}, piece.info)

  def _read_pieces(
    self, read: ahead.Ahead[_Read], passed: int, spare: List[streams.Columns], give_way: ahead.GiveWay
  ) -> Iterator[_Piece]:
    """Whole batches of the items of blocks, in their order. What is left of a block goes in front of the next one.

    Args:
      read: the blocks.
      passed: items that nobody wants, the first ones.
      spare: takes the memory of what was read, for the block after the next.
      give_way: between pieces.
    """
    codec, items, size = self.codec, self._source.items, self._source.batch_size
    bytes_ = sum(codec.columns[name].bytes * (count or 1) for name, count in codec.counts(items).items())
    room = min(_PIECE_BYTES, self._source.shuffle_bytes // _PIECE_SHARE)
    most = size * max(1, min(_PIECE_BATCHES, room // (size * bytes_)))
    left: Optional[streams.Columns] = None
    for block, starts, start, skipped in read:
      passed -= skipped
      at = min(passed, len(starts))
      passed -= at
      info = packing.pack_info(size, 0, probability=1.0 / max(1, len(starts)), table_size=len(starts))
      while at < len(starts):
        give_way()
        taken = starts[at : at + most - (0 if left is None else len(left['rest']))]
        at += len(taken)
        columns = block.items(codec, items, taken)
        if left is not None:
          columns = {name: np.concatenate([left[name], column]) for name, column in columns.items()}
        whole = len(columns['rest']) // size * size
        if whole:
          yield _Piece({name: column[:whole] for name, column in columns.items()}, info, start)
        left = {name: column[whole:] for name, column in columns.items()} if whole < len(columns['rest']) else None
      spare[:] = [block.memory]
      del block, starts

  def _read_blocks(
    self, first: int, before: int, passed: int, spare: List[streams.Columns], give_way: ahead.GiveWay
  ) -> Iterator[_Read]:
    """The blocks of all epochs from the first one on, for ever.

    Args:
      first: an epoch.
      before: items that were read before it.
      passed: items from there on that nobody wants: whole epochs of a single block are left out.
      spare: memory for one of the blocks.
      give_way: between the episodes.
    """
    source = self._source
    most = blocks.most_rows(self.codec, source.shuffle_bytes)
    for epoch in itertools.count(first):
      start = (epoch, before) if epoch else None
      found = count = 0
      episodes = source.episodes(seeds.derive(self._seed, 'epoch', epoch))
      for block in blocks.of_episodes(episodes, self.codec, source.items, most, give_way, spare):
        yield _Read(block, self._shuffled(block, epoch, count), start)
        found, count = found + len(block.index.starts), count + 1
      if not found:
        raise errors.UserError(
          f'The data set holds no item of {source.items.length} rows; make the items shorter, or pad them.'
        )
      skipped = max(0, passed // found - 1)  # epochs behind the one that was given
      while count == 1:  # All of it is in memory; to read it again would take as long as to learn from it.
        epoch += 1 + skipped
        yield _Read(block, self._shuffled(block, epoch, 0), start, skipped * found)
        skipped = 0
      before += found

  def _shuffled(self, block: blocks.Block, epoch: int, number: int) -> np.ndarray:
    """The starts of a block's items, in the order in which an epoch reads them."""
    return np.random.default_rng([self._seed, epoch, number]).permutation(block.index.starts)
