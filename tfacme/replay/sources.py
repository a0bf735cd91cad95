"""What a learner consumes, as an expression.

    Sample('replay', 256)                                  a batch of 256 items from a table
    Mix({Sample('replay', 1): .75, Data(items, 1, demos): .25}, 256)    one batch from two places
    Together({'agent': Sample('replay', 256), 'expert': Data(items, 256, demos)})    two batches side by side
    Map(clip_rewards, Sample('replay', 256))               a batch, rewritten in the learner's graph

Mixing replay with demonstrations, a discriminator's expert batch beside the agent's, reward relabelling: each is an
expression, not a class of learner. These are descriptions, which can be pickled; `replay.readers` opens them.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, List, Mapping, Optional, Union

from tfacme import core, errors
from tfacme.replay.items import Items


@dataclasses.dataclass(frozen=True)
class Sample:
  """A batch of items from a replay table; None is the builder's only one."""

  table: Optional[str]
  batch_size: int

  def __post_init__(self):
    errors.count('batch_size', self.batch_size)


@dataclasses.dataclass(frozen=True)
class Data:
  """A batch of items cut from recorded episodes, shuffled, for ever.

  Attributes:
    items: which rows make one item.
    batch_size: items of a batch.
    dataset: the episodes (`datasets.rlds(path)`, `datasets.memory(episodes)`); None takes the experiment's.
    shuffle_bytes: the size of the blocks of episodes, in bytes of their rows, over which items are shuffled. One block
      is in memory, and twice as much while the next one is read; a data set of one block is read once.
  """

  items: Items
  batch_size: int
  dataset: Any = None
  shuffle_bytes: int = 2**30

  def __post_init__(self):
    errors.count('batch_size', self.batch_size)
    errors.count('shuffle_bytes', self.shuffle_bytes)


@dataclasses.dataclass(frozen=True)
class Map:
  """A source whose batches pass through a pure function of tensors, in the learner's graph."""

  function: Callable[[core.Batch], core.Batch]
  source: Source


@dataclasses.dataclass(frozen=True)
class Mix:
  """One batch of items from several sources; `info.source` [B] numbers them in their order.

  Attributes:
    shares: how large a part of the batch each source gives; they add up to 1. The sources' own sizes don't count.
    batch_size: items of the whole batch.
  """

  shares: Mapping[Union[Sample, Data], float]
  batch_size: int

  def __post_init__(self):
    if abs(sum(self.shares.values()) - 1) > 1e-6:
      raise errors.UserError(f'The shares of a Mix add up to {sum(self.shares.values()):g}, and have to add up to 1.')
    if min(self._sizes) < 1:
      raise errors.UserError(
        f'A Mix of {self.batch_size} items with the shares {list(self.shares.values())} leaves a part without an item; '
        'make the batch larger.'
      )

  @property
  def parts(self) -> tuple[Union[Sample, Data], ...]:
    """The sources, each with its part of the batch; the last takes what rounding leaves."""
    return tuple(dataclasses.replace(part, batch_size=size) for part, size in zip(self.shares, self._sizes))

  @property
  def _sizes(self) -> List[int]:
    sizes = [round(share * self.batch_size) for share in self.shares.values()]
    return [*sizes[:-1], self.batch_size - sum(sizes[:-1])]


@dataclasses.dataclass(frozen=True)
class Together:
  """Batches of several sources side by side; the Update receives {name: batch}."""

  sources: Mapping[str, Source]


Source = Union[Sample, Data, Map, Mix, Together]


def samples(source: Source) -> List[Sample]:
  """What a source takes from replay tables, with all that is in it."""
  if isinstance(source, Sample):
    return [source]
  if isinstance(source, Map):
    return samples(source.source)
  parts = source.parts if isinstance(source, Mix) else source.sources.values() if isinstance(source, Together) else ()
  return [sample for part in parts for sample in samples(part)]
