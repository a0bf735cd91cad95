"""Reading recorded data: batches of items cut from whole episodes, shuffled over blocks of them."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import tree

from tfacme import core, errors, seeds, specs
from tfacme.datasets.episodes import alike, check_values
from tfacme.replay import packing, streams
from tfacme.replay.items import Items, index, past
from tfacme.replay.relabelling import relabelled


@dataclasses.dataclass(frozen=True)
class Recorded:
  """Recorded data, ready to be read; `resolving.resolve` makes it.

  Attributes:
    items, batch_size, dataset, shuffle_bytes: as of `sources.Data`.
    step_spec: of the rows; extras of it that the data lacks are zeros.
    relabel: rewrites the episodes, and adds to their extras what `step_spec` has of them; or None.
  """

  items: Items
  batch_size: int
  dataset: Any
  shuffle_bytes: int
  step_spec: core.Step
  relabel: Optional[core.Relabel] = None

  def episodes(self, seed: int = 0) -> Iterator[core.Step]:
    """One pass over all episodes, in an order that is a function of the seed, with rows of `step_spec`."""
    added = self.relabel.extras if self.relabel else {}
    taken = self.step_spec
    if added:
      taken = taken._replace(extras={name: spec for name, spec in taken.extras.items() if name not in added})
    taken_episodes = map(_Taker(taken, self.dataset.spec()), self.dataset.episodes(seed))
    for episode in relabelled(taken_episodes, self.relabel, self.step_spec) if self.relabel else taken_episodes:
      check_values(episode, self.step_spec.action, 'an episode of the data set')
      yield episode


class _Taker:
  """Takes from recorded episodes what rows of a spec have, and zeros for what was not recorded."""

  def __init__(self, spec: core.Step, recorded: core.Step):
    self._spec = spec
    self._leaves = tree.flatten(spec)
    wanted = specs.paths(spec)
    # What an agent does not learn from may be of another shape.
    fits = lambda path, leaf: path in wanted and alike(leaf.shape, wanted[path].shape)
    places = {path: i for i, (path, leaf) in enumerate(specs.paths(recorded).items()) if fits(path, leaf)}
    self._places = [places.get(path) for path in wanted]

  def __call__(self, episode: core.Step) -> core.Step:
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


class DataReader:
  """Batches of items cut from recorded episodes: shuffled over a block of episodes at a time, epoch after epoch.

  What a batch holds is a function of the seed and of how many batches were read before. `state` is that number, and how
  many items an epoch of several blocks has, once that is known: so a resumed run reads no more than its own epoch
  again. A single block keeps the order in which it was first read, and skipping it costs nothing.
  """

  def __init__(self, source: Recorded, seed: int):
    self.codec = packing.Codec.of(source.step_spec, [source.items])
    self._source = source
    self._seed = seed
    self._batches = self._read_batches()
    self._count = 0
    self._epoch_items: Optional[int] = None

  def read(self, wait: float, now: int) -> _DataRead:
    """The next batch; it never waits for anything but the disk."""
    del wait, now
    columns, size = next(self._batches)
    self._count += 1
    return _DataRead(columns, packing.pack_info(self._source.batch_size, 0, probability=1.0 / size, table_size=size))

  def exhausted(self) -> bool:
    """Recorded data has no end."""
    return False

  def write_priorities(self, read: Any, priorities: np.ndarray) -> None:
    """Recorded data has no priorities."""

  def state(self) -> Tuple[int, Optional[int]]:
    """(batches read, items of an epoch of several blocks or None)."""
    return self._count, self._epoch_items

  def set_state(self, state: Tuple[int, Optional[int]]) -> None:
    """Skips as many batches as `state` says."""
    self._count, self._epoch_items = state
    self._batches = self._read_batches(self._count)

  def _read_batches(self, passed: int = 0):
    """(columns of a batch, items in its block), for ever; what is left of a block goes in front of the next one."""
    batch_size, left = self._source.batch_size, []
    epoch, items_passed = 0, passed * batch_size
    if self._epoch_items:
      epoch, items_passed = divmod(items_passed, self._epoch_items)
    for place, columns, rows in self._blocks(epoch):
      size = len(rows)
      if items_passed >= size:
        items_passed -= size
        continue
      random = np.random.default_rng([self._seed, *place])
      rows = rows[random.permutation(size)][items_passed:]
      items_passed = 0
      which, before = self.codec.which(self._source.items), self._source.items.stack - 1
      for start in range(0, len(rows), batch_size):
        chosen = rows[start : start + batch_size]
        batch = {n: packing.take(column, chosen, which[n], before) for n, column in columns.items()}
        left = [batch] if not left else [{n: np.concatenate([left[0][n], batch[n]]) for n in batch}]
        if len(left[0]['rest']) >= batch_size:
          yield {n: column[:batch_size] for n, column in left[0].items()}, size
          rest = {n: column[batch_size:] for n, column in left[0].items()}
          left = [rest] if len(rest['rest']) else []
      del columns  # The next block needs the memory.

  def _blocks(self, start: int):
    """((epoch, block), packed rows of that block of episodes, row numbers [n, T] of all items in it), for ever."""
    most = max(1, self._source.shuffle_bytes // sum(column.bytes for column in self.codec.columns.values()))
    for epoch in itertools.count(start):
      found, blocks = 0, 0
      for block in _grouped(self._source.episodes(seeds.derive(self._seed, 'epoch', epoch)), most):
        columns = None  # Only then is there room for the next ones.
        columns, rows = self._pack(block)
        block.clear()  # They are packed now.
        yield (epoch, blocks), columns, rows
        found, blocks = found + len(rows), blocks + 1
      if not found:
        raise errors.UserError(
          f'The data set holds no item of {self._source.items.length} rows; make the items shorter, or pad them.'
        )
      while blocks == 1:  # All of it is in memory; to read it again would take as long as to learn from it.
        epoch += 1
        yield (epoch, 0), columns, rows
      self._epoch_items = found

  def _pack(self, episodes: Sequence[core.Step]):
    columns = self.codec.rows(sum(len(episode.last) for episode in episodes))
    steps, version = self.codec.views(columns)
    version[:] = packing.RECORDED
    start = 0
    for episode in episodes:
      end = start + len(episode.last)
      for view, leaf in zip(tree.flatten(steps), tree.flatten(episode)):
        view[start:end] = leaf
      start = end
    last = np.asarray(steps.last)
    self.codec.mark(columns, np.minimum(past(last), self.codec.stack - 1))
    return columns, index(last, self._source.items)


def _grouped(episodes: Iterable[core.Step], most: int) -> Iterator[List[core.Step]]:
  """Lists of episodes with `most` rows in all; each list goes on to the end of an episode."""
  block, rows = [], 0
  for episode in episodes:
    block.append(episode)
    rows += len(episode.last)
    if rows >= most:
      yield block
      block, rows = [], 0
  if block:
    yield block
