"""What a learner consumes, as an expression.

    Sample('replay', 256)                                  a batch of 256 items from a table
    Mix({Sample('replay', 1): .75, Data(items, 1, demos): .25}, 256)    one batch from two places
    Together({'agent': Sample('replay', 256), 'expert': Data(items, 256, demos)})    two batches side by side
    Map(clip_rewards, Sample('replay', 256))               a batch, rewritten in the learner's graph

Mixing replay with demonstrations, a discriminator's expert batch beside the agent's, reward relabelling: each is an
expression, not a class of learner. These are descriptions, which can be pickled; `replay.resolving` works out what they
are in a run, and `replay.readers` opens them. In a run without actors (offline), `Sample` reads the items of its table
from the experiment's recorded data; and with actors a part of them, if the experiment has a `dataset_share`.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple, Union

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
  """A batch of items cut from recorded episodes, shuffled, without end.

  Extras that were recorded and are not needed are left out: within a `Mix` those that its other parts don't have.

  Attributes:
    items: which rows make one item.
    batch_size: items of a batch.
    dataset: the episodes (`datasets.rlds(path)`, `datasets.memory(episodes)`); None takes the experiment's.
    shuffle_bytes: the size of the blocks of episodes, in bytes of their rows, over which items are shuffled; None is
      what the data set says, or 256 MiB. A data set that fits into one is read once, and stays in memory; of a larger
      one two are in memory: one is learned from while the next one is read.
    zeros: names of extras of the agent's own rows that are zeros, whatever the data have, such as a recurrent state:
      one that was recorded is of the network that acted.
    relabel: rewrites the episodes before items are cut from them; see `core.Relabel`.
    rewards: whether rewards and the ends of episodes are learned from. If not, data without them are taken as well.
  """

  items: Items
  batch_size: int
  dataset: Any = None
  shuffle_bytes: Optional[int] = None
  zeros: Sequence[str] = ()
  relabel: Optional[core.Relabel] = None
  rewards: bool = True

  def __post_init__(self):
    errors.count('batch_size', self.batch_size)
    if self.shuffle_bytes is not None:
      errors.count('shuffle_bytes', self.shuffle_bytes)
    object.__setattr__(self, 'zeros', tuple(self.zeros))


@dataclasses.dataclass(frozen=True)
class Map:
  """A source whose batches pass through a pure function of tensors, in the learner's graph."""

  function: Callable[[core.Batch], core.Batch]
  source: Source


@dataclasses.dataclass(frozen=True)
class Mix:
  """One batch of items from several sources; `info.source` [B] numbers them in their order, through nested ones too.

  Attributes:
    shares: how large a part of the batch each source gives, as {source: share} or as pairs of the two; they add up to
      1. The sources' own sizes don't count.
    batch_size: items of the whole batch.
  """

  shares: Union[Mapping[Source, float], Sequence[Tuple[Source, float]]]
  batch_size: int

  def __post_init__(self):
    pairs = self.shares.items() if isinstance(self.shares, Mapping) else self.shares
    object.__setattr__(self, 'shares', tuple(tuple(pair) for pair in pairs))  # so that it may be part of another Mix
    shares = [share for _, share in self.shares]
    if abs(sum(shares) - 1) > 1e-6:
      raise errors.UserError(f'The shares of a Mix add up to {sum(shares):g}, and have to add up to 1.')
    if min(self.sizes) < 1:
      raise errors.UserError(
        f'A Mix of {self.batch_size} items with the shares {shares} leaves a part without an item; make the batch '
        'larger.'
      )

  @property
  def parts(self) -> Tuple[Source, ...]:
    """The sources, each with its part of the batch."""
    return tuple(sized(part, size) for (part, _), size in zip(self.shares, self.sizes))

  @property
  def sizes(self) -> List[int]:
    """How many items each part gives; the last takes what rounding leaves."""
    sizes = [round(share * self.batch_size) for _, share in self.shares]
    return [*sizes[:-1], self.batch_size - sum(sizes[:-1])]


@dataclasses.dataclass(frozen=True)
class Together:
  """Batches of several sources side by side; the Update receives {name: batch}."""

  sources: Mapping[str, Source]


# What a learner consumes.
Source = Union[Sample, Data, Map, Mix, Together]


def sized(source: Source, batch_size: int) -> Source:
  """A source with batches of another size."""
  if isinstance(source, Together):
    raise errors.UserError(
      'A part of a Mix is one batch, and Together gives several; put the Mix into the Together instead.'
    )
  if isinstance(source, Map):
    return dataclasses.replace(source, source=sized(source.source, batch_size))
  return dataclasses.replace(source, batch_size=batch_size)


def with_stack(source: Source, stack: int) -> Source:
  """A source with the frames of all items stacked that it cuts from recorded data."""
  if isinstance(source, Data):
    return dataclasses.replace(source, items=dataclasses.replace(source.items, stack=stack))
  if isinstance(source, Map):
    return dataclasses.replace(source, source=with_stack(source.source, stack))
  if isinstance(source, Mix):
    return dataclasses.replace(source, shares=[(with_stack(part, stack), share) for part, share in source.shares])
  if isinstance(source, Together):
    return Together({name: with_stack(part, stack) for name, part in source.sources.items()})
  return source


def leaves(source: Any) -> List[Any]:
  """All that a source reads from: tables and recorded data."""
  if isinstance(source, Map):
    return leaves(source.source)
  if isinstance(source, (Mix, Together)):
    parts = source.parts if isinstance(source, Mix) else source.sources.values()
    return [leaf for part in parts for leaf in leaves(part)]
  return [source]


def samples(source: Source) -> List[Sample]:
  """What a source takes from replay tables, with all that is in it."""
  return [leaf for leaf in leaves(source) if isinstance(leaf, Sample)]
