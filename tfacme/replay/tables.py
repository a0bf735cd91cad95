"""Replay tables, described once for both back ends: what they hold, how they are sampled, and how they pace a run."""

from __future__ import annotations

import dataclasses
import math
import sys
from typing import Optional, Sequence, Union

from tfacme import configs, errors
from tfacme.replay.items import Items


@dataclasses.dataclass(frozen=True)
class Uniform:
  """Each item with the same probability."""


@dataclasses.dataclass(frozen=True)
class Prioritized:
  """An item of priority p with a probability proportional to p ** exponent (Schaul et al. 2016, equation 1)."""

  exponent: float = 0.6

  def __post_init__(self):
    errors.in_range('The priority exponent', self.exponent, low=0)


@dataclasses.dataclass(frozen=True)
class Fifo:
  """The oldest item."""


@dataclasses.dataclass(frozen=True)
class Lifo:
  """The newest item."""


Remover = Union[Uniform, Fifo, Lifo]  # Which item gives way to a new one.
Selector = Union[Prioritized, Remover]  # Which item a sample takes.


@dataclasses.dataclass(frozen=True)
class Limiter:
  """Paces inserts and samples against each other; the arithmetic is Reverb's.

  With d = inserts * samples_per_insert - samples, an insert may be made while it leaves d at most `high` (or the table
  smaller than `min_size`), a sample while it leaves d at least `low` and the table holds `min_size` items. A learner's
  batch starts when one sample may be taken, and may overdraw.

  Attributes:
    samples_per_insert: the ratio.
    min_size: items before the first sample.
    low: d at the least, after a sample.
    high: d at the most, after an insert.
    prefill: how many items are written beside what it paces; they are left out of account.
  """

  samples_per_insert: float
  min_size: int
  low: float
  high: float
  prefill: int = 0

  def __post_init__(self):
    errors.in_range('samples_per_insert', self.samples_per_insert, above=0)
    errors.count('The minimal size of a table', self.min_size)
    # Neither side may move where high - spi < d < low + 1. No such d may exist; whole numbers step over a gap below 1.
    whole = all(float(x).is_integer() for x in (self.samples_per_insert, self.low, self.high))
    room = self.samples_per_insert + (0 if whole else 1)
    if self.high - self.low < room:
      raise errors.UserError(
        f'The rate limiter would block for ever between its bounds {self.low:g} and {self.high:g}, since neither one '
        f'insert nor one sample fits at samples_per_insert {self.samples_per_insert:g}; put them {room:g} apart.'
      )

  def prefilled(self, items: int) -> Limiter:
    """The limiter of a table into which `items` are written beside what it paces.

    They stand for the first `min_size` ones; what is more does not count.
    """
    room = self.samples_per_insert * max(0, items - self.min_size)
    return dataclasses.replace(self, low=self.low + room, high=self.high + room, prefill=items)

  def part_of(self, share: float) -> Limiter:
    """The limiter of a table that gives so large a share of each batch: as many batches for an insert as without it."""
    low = share * self.low if self.bounds_samples else self.low
    high = share * self.high if self.bounds_inserts else self.high
    return dataclasses.replace(self, samples_per_insert=share * self.samples_per_insert, low=low, high=high)

  def shared(self, servers: int) -> Limiter:
    """The limiter of each of several servers, among which a table's items and its batches are shared out equally."""
    room = (self.high - self.low) / servers if self.bounds_samples and self.bounds_inserts else math.inf
    least_room = self.samples_per_insert + 2  # Too little would block both sides; one more than that is for rounding.
    least = math.ceil(self.min_size / servers)
    # As far from what the minimal size gives as here, for what each has of it may be rounded up.
    ahead = self.samples_per_insert * (least - self.min_size / servers)
    more = max(0.0, least_room - room) / 2
    low = self.low / servers + ahead - more if self.bounds_samples else self.low
    high = self.high / servers + ahead + more if self.bounds_inserts else self.high
    return dataclasses.replace(self, min_size=least, low=low, high=high)

  @property
  def bounds_samples(self) -> bool:
    """Whether it ever makes a learner wait once the table holds enough."""
    return self.low > -sys.float_info.max

  @property
  def bounds_inserts(self) -> bool:
    """Whether it ever makes an actor wait."""
    return self.high < sys.float_info.max

  def realized(self, inserts: float, samples: float) -> float:
    """Samples for each insert, of those from the one on with which the table holds enough to be sampled.

    That is what `samples_per_insert` paces: the first `min_size` items, or a prefill, count for nothing.
    """
    return samples / self.paced(inserts)

  def paced(self, inserts: float) -> float:
    """How many of the inserts pace samples, one at the least."""
    return max(1.0, inserts - max(self.min_size, self.prefill) + 1)

  def can_insert(self, inserts: int, samples: int, size: int) -> bool:
    """Whether one more item may be inserted."""
    return size + 1 <= self.min_size or (inserts + 1) * self.samples_per_insert - samples <= self.high

  def can_sample(self, inserts: int, samples: int, size: int) -> bool:
    """Whether one more item may be sampled."""
    return size >= self.min_size and inserts * self.samples_per_insert - samples - 1 >= self.low


def min_size(size: int) -> Limiter:
  """Samples wait until the table holds `size` items; nothing else waits for anything."""
  return Limiter(1.0, size, -sys.float_info.max, sys.float_info.max)


def sample_to_insert_ratio(samples_per_insert: float, min_size: int, error_buffer: float) -> Limiter:
  """Keeps samples / inserts near a ratio, once `min_size` items are there.

  Args:
    samples_per_insert: the ratio of items sampled to items inserted.
    min_size: items before the first sample.
    error_buffer: by how many samples the two sides may run apart; at least max(1, samples_per_insert).
  """
  if error_buffer < max(1.0, samples_per_insert):
    raise errors.UserError(
      f'The rate limiter would block for ever: its error buffer is {error_buffer:g}, and has to be at least '
      f'{max(1.0, samples_per_insert):g} at samples_per_insert {samples_per_insert:g}.'
    )
  offset = samples_per_insert * min_size
  return Limiter(samples_per_insert, min_size, offset - error_buffer, offset + error_buffer)


def queue_limiter(size: int) -> Limiter:
  """A queue: inserts wait while `size` items wait to be sampled, samples wait while there is none."""
  return Limiter(1.0, 1, 0.0, float(size))


@dataclasses.dataclass(frozen=True)
class Table:
  """A replay table.

  Attributes:
    items: what it holds.
    limiter: how it paces a run.
    max_size: how many items it holds; one more removes one.
    name: under which sources and writers find it.
    sampler: which item a sample takes.
    remover: which item gives way to a new one.
    max_times_sampled: an item is removed after so many samples; 0 is never, 1 makes a queue.
    written_by: the roles whose streams are cut into its items, a name or several; the actors, unless told otherwise.
  """

  items: Items
  limiter: Limiter
  max_size: int
  name: str = 'replay'
  sampler: Selector = Uniform()
  remover: Remover = Fifo()
  max_times_sampled: int = 0
  written_by: Union[str, Sequence[str]] = ('actor',)

  def __post_init__(self):
    writers = (self.written_by,) if isinstance(self.written_by, str) else tuple(self.written_by)
    object.__setattr__(self, 'written_by', writers)
    errors.count(f'max_size of the table {self.name!r}', self.max_size)
    errors.count(f'max_times_sampled of the table {self.name!r}', self.max_times_sampled, low=0)
    if self.limiter.min_size > self.max_size:
      raise errors.UserError(
        f'The table {self.name!r} holds at most {self.max_size} items, so it never has the {self.limiter.min_size} '
        'that its rate limiter waits for; raise max_size or lower the minimal size.'
      )
    ratio = self.limiter.samples_per_insert
    if self.limiter.bounds_inserts and 0 < self.max_times_sampled < ratio:
      raise errors.UserError(
        f'The rate limiter of the table {self.name!r} waits for {ratio:g} samples of each item, which is sampled at '
        f'most {self.max_times_sampled} times; raise max_times_sampled or lower samples_per_insert.'
      )

  @property
  def prioritized(self) -> bool:
    """Whether priorities are worth writing back."""
    return isinstance(self.sampler, Prioritized)

  @property
  def is_queue(self) -> bool:
    """Whether each item is learned from once."""
    return self.max_times_sampled == 1


def queue(items: Items, size: int, name: str = 'queue') -> Table:
  """A first-in first-out queue of `size` items, each of which is learned from once (on-policy learning)."""
  # The limiter keeps the size. The rest is room for what one round of up to `size` slots inserts over it: where their
  # episodes end, all items that the padding completes. Nothing that was not sampled yet may give way to it.
  at_once = math.ceil((items.length or 1) / items.period)
  max_size = size * (1 + at_once)
  return Table(items, queue_limiter(size), max_size=max_size, name=name, sampler=Fifo(), max_times_sampled=1)


def segments(length: int, once: Sequence[str] = ()) -> Items:
  """Items of `length` transitions, whose last row is the next one's first, and which run on into the next episode."""
  return Items(length=length + 1, period=length, once=once, end='continue')


def sequences(config: configs.SequenceConfig) -> Items:
  """Overlapping sequences of burn_in + trace_length + 1 rows, each with the recurrent state before its first row."""
  assert config.trace_length is not None
  length = config.burn_in + config.trace_length + 1
  end = 'continue' if config.across_episodes else 'pad'
  # A sequence has to hold something to learn from behind its burn-in.
  return Items(length, config.sequence_period, once=['state'], end=end, burn_in=config.burn_in)


def paced(items: Items, config: configs.ReplayConfig, by: Selector = Uniform(), name: str = 'replay') -> Table:
  """A table with the size and the rate limiter of a config; sampled uniformly, or `by` priority."""
  limiter = tolerant_ratio(
    config.samples_per_insert, config.samples_per_insert_tolerance, config.min_replay_size, config.batch_size
  )
  return Table(items, limiter, config.max_replay_size, name, sampler=by)


def with_stack(table: Table, stack: int) -> Table:
  """The table with the frames of its items stacked."""
  return dataclasses.replace(table, items=dataclasses.replace(table.items, stack=stack))


def sampler(priority_exponent: float) -> Selector:
  """Prioritized sampling with an exponent; with 0 uniform sampling, which spares the work for priorities."""
  return Prioritized(priority_exponent) if priority_exponent else Uniform()


def tolerant_ratio(samples_per_insert: float, tolerance: float, min_size: int, batch_size: int) -> Limiter:
  """Lets the learner take `samples_per_insert` of each item, once there are `min_size`.

  Args:
    samples_per_insert: samples for each item inserted.
    tolerance: how far the two may run apart, as a share of samples_per_insert * min_size.
    min_size: items before the first sample.
    batch_size: samples of one learning step.
  """
  # The limiter needs room for one insert and one sample, and a learning step takes a whole batch at once.
  buffer = max(tolerance * samples_per_insert * min_size, samples_per_insert, float(batch_size))
  return sample_to_insert_ratio(samples_per_insert, min_size, buffer)


def check(described: Sequence[Table], slots: int, roles: Sequence[str] = ()) -> None:
  """Raises a `UserError` if these tables can't be fed by one stream a slot, or would stop each other.

  Args:
    described: all tables.
    slots: of an actor.
    roles: the names of the roles that write beside the actors.
  """
  names = [table.name for table in described]
  if len(set(names)) < len(names):
    raise errors.UserError(f'Two replay tables have one name; the names are {names}.')
  known = ('actor', *roles)
  for table in described:
    for role in table.written_by:
      if role not in known:
        raise errors.unknown(f'writer of the table {table.name!r}', role, known, f'there are {", ".join(known)}.')
    if 'actor' not in table.written_by and table.limiter.bounds_samples:
      raise errors.UserError(
        f'The table {table.name!r} is not written by actors, so its rate limiter would stop the learner for good; give '
        'it one that waits for a size alone (tables.min_size).'
      )
  for role in known:
    _check_writer([table for table in described if role in table.written_by])
  for table in described:
    if table.is_queue and table.limiter.high < slots:
      raise errors.UserError(
        f'The queue {table.name!r} holds {table.limiter.high:g} items, fewer than the {slots} slots of an actor that '
        'write into it; use fewer slots or make the queue larger (of the agents here it holds a batch: a larger '
        'batch_size).'
      )


def _check_writer(described: Sequence[Table]) -> None:
  """Raises a `UserError` if one stream can't be written into all of these tables."""
  if len({table.items.end == 'continue' for table in described}) > 1:
    raise errors.UserError("Items that continue into the next episode can't be cut from one stream with others.")
  if sum(table.limiter.bounds_inserts for table in described) > 1:
    names = [table.name for table in described]
    raise errors.UserError(f'At most one replay table may block the actors, and more than one of {names} does.')


def prefilled(table: Table, items: int) -> Table:
  """A table into which so many items are written beside what its rate limiter paces."""
  if items > table.max_size:
    raise errors.UserError(
      f'{items} items are to be written into the table {table.name!r} beside what the actors write, and it holds at '
      f'most {table.max_size}; raise max_size (of the agents here, --config.max_replay_size), or write less (of a data '
      'set, --dataset.episodes).'
    )
  if not items:
    return table
  limiter = table.limiter.prefilled(items)
  if not limiter.can_insert(items - 1, 0, items - 1):  # Nothing may hold a prefill, which the actors wait for.
    raise errors.UserError(
      f'The rate limiter of the table {table.name!r} would hold back its prefill, since it allows fewer inserts '
      f'({table.limiter.high:g} samples) than the minimal size needs '
      f'({table.limiter.samples_per_insert * table.limiter.min_size:g}); raise the first or lower the second.'
    )
  return dataclasses.replace(table, limiter=limiter)


def check_batch(table: Table, batch_size: int) -> None:
  """Raises a `UserError` if a batch of this size could never be filled from the table."""
  times, limiter = table.max_times_sampled, table.limiter
  if not times:
    return
  most = times * table.max_size
  if limiter.bounds_inserts:
    # When the limiter holds the inserts, at least so many samples are left to take: d > high - samples_per_insert, and
    # no item goes before it was sampled `times` times but those that are over max_size.
    ratio = limiter.samples_per_insert
    left = math.floor(times * (limiter.high / ratio - 1)) + 1
    most = max(limiter.min_size, min(left, math.floor(table.max_size - ratio) + 1))
  if most < batch_size:
    raise errors.UserError(
      f'The queue {table.name!r} holds at most {most} items, less than a batch of {batch_size}; '
      'make the queue larger or the batch smaller.'
    )


def items_needed(table: Table, batch_size: int, batches: int = 1) -> int:
  """How many items have to be inserted, at the least, before so many batches can be taken."""
  limiter, times = table.limiter, table.max_times_sampled
  needed = limiter.min_size
  if limiter.bounds_samples:
    needed = max(needed, math.ceil((limiter.low + 1 + (batches - 1) * batch_size) / limiter.samples_per_insert))
  return max(needed, -(-batch_size * batches // times)) if times else needed


def find(described: Sequence[Table], name: Optional[str]) -> Table:
  """The table of a name; None is the only one."""
  if name is None and len(described) > 1:
    raise errors.UserError(f'Name one of the replay tables {[t.name for t in described]}; there is more than one.')
  for table in described:
    if name in (None, table.name):
      return table
  raise errors.UserError(f'There is no replay table {name!r}; the builder has {[t.name for t in described]}.')
