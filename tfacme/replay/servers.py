"""Several replay servers of one run: each has its part of every table and of the actors."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import time
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple, Union

import numpy as np

from tfacme import core, errors
from tfacme.replay import packing, sources, streams, tables

_PATIENCE_SECONDS = 0.01  # for which a server is waited for that had something when it was last asked
_POLL_SECONDS = 0.001  # between looks at whether any has something


def names(count: int) -> List[str]:
  """The names of the nodes of so many servers, and of what checkpoints have of them."""
  return ['replay'] if count == 1 else [f'replay-{i}' for i in range(count)]


def saved(checkpoint: Optional[str]) -> List[str]:
  """The names of those whose contents a checkpoint has."""
  found = os.listdir(checkpoint) if checkpoint else []
  return sorted(name for name in found if re.fullmatch(r'replay(-\d+)?', name))


def are_saved(checkpoint: Optional[str], names: Sequence[str]) -> bool:
  """Whether a checkpoint has the contents of just these."""
  return saved(checkpoint) == sorted(names)


def check(
  count: int, samples: Sequence[sources.Sample], described: Sequence[tables.Table], users: Sequence[str]
) -> None:
  """Raises a `UserError` if so many servers can't share what a run has in its tables.

  Args:
    count: of servers.
    samples: what a batch has of the tables.
    described: the tables.
    users: the names of those who use the tables beside actors and learner.
  """
  if count == 1:
    return
  read = {sample.table: tables.find(described, sample.table) for sample in samples}
  for table in read.values():
    if table.is_queue or table.items.length is None:
      kind = 'a queue' if table.is_queue else 'whole episodes'
      raise errors.UserError(f'{table.name!r} has {kind}, which are in one replay server: leave --replays out.')
  if len([table for table in read.values() if table.limiter.bounds_samples]) > 1:
    # What one of them has and the other lacks could be in different servers.
    raise errors.UserError('Several tables pace the learner, which are in one replay server: leave --replays out.')
  for sample in samples:
    if sample.batch_size % count:
      raise errors.UserError(
        f'Each replay server gives as large a part of a batch, and one of {sample.batch_size} can not be shared out '
        f'among {count}: choose another number (--replays).'
      )
    tables.check_batch(part(read[sample.table], count), sample.batch_size // count)
  if users:
    raise errors.UserError(
      f'Tables that {errors.listed(users)} uses, beside the actors, are in one replay server: leave --replays out.'
    )


def part(table: tables.Table, servers: int) -> tables.Table:
  """What one of several servers has of a table."""
  return dataclasses.replace(table, max_size=math.ceil(table.max_size / servers), limiter=table.limiter.shared(servers))


def joined(replays: Sequence[Any], described: Sequence[tables.Table]) -> Optional[streams.Readable]:
  """The replay of a run as its learner sees it, of all its servers; None if there are none."""
  if not replays:
    return None
  return replays[0] if len(replays) == 1 else Servers(replays, described)


class Servers:
  """All servers of a run; see `streams.Readable`."""

  def __init__(self, replays: Sequence[streams.Readable], described: Sequence[tables.Table]):
    self._replays = replays
    self._tables = described

  def reader(self, table: tables.Table, batch_size: int) -> _Reader:
    """A reader of batches, of which each server gives as large a part."""
    count = len(self._replays)
    return _Reader([replay.reader(part(table, count), batch_size // count) for replay in self._replays])

  def usage(self) -> Dict[str, streams.Usage]:
    """How much each table is used, in all servers together."""
    each = [replay.usage() for replay in self._replays]
    return {table.name: self._total(table, [own[table.name] for own in each]) for table in self._tables}

  def _total(self, table: tables.Table, each: Sequence[streams.Usage]) -> streams.Usage:
    limiter = part(table, len(each)).limiter
    sampled, paced = sum(own.sampled for own in each), sum(limiter.paced(own.inserted) for own in each)
    size, most, inserted = (sum(getattr(own, what) for own in each) for what in ('size', 'max_size', 'inserted'))
    return streams.Usage(size, most, inserted, sampled, sampled / paced)


@dataclasses.dataclass
class _Read:
  """A batch as it was read; see `streams.Read`."""

  columns: streams.Columns
  info: np.ndarray
  parts: Sequence[Tuple[int, streams.Read]]  # each with the number of its server


class _Reader:
  """Reads as many parts of each batch as there are servers, one of each server that has one.

  Where a server has none, since its actors have come to their end or wait for something, others give its parts: each
  server's limiter keeps its own ratio of samples to inserts, and nobody waits for one that nobody writes to. The first
  batches may be of the server that was the first to hold enough. Priorities, and the probabilities by which samples are
  weighted, are relative to those of the same server, as if each were a stratum of the whole.
  """

  def __init__(self, readers: Sequence[streams.Reader]):
    self.codec: packing.Codec = readers[0].codec
    self._readers = readers
    self._next = 0  # the server that is asked next
    self._dry: Set[int] = set()  # those that had nothing
    self._parts: List[Tuple[int, streams.Read]] = []

  def read(self, wait: float, now: int) -> Union[_Read, core.Blocked]:
    """A batch, or what it waits for after `wait` seconds."""
    pause, deadline = min(_PATIENCE_SECONDS, wait), time.monotonic() + wait
    while True:
      had, waits = len(self._parts), []
      for _ in self._readers:
        number, self._next = self._next, (self._next + 1) % len(self._readers)
        # What had nothing when it was last asked may have nothing for long, and holds nobody.
        answer = self._readers[number].read(0.0 if number in self._dry else pause, now)
        if isinstance(answer, core.Blocked):
          waits.append(answer)
          self._dry.add(number)
          continue
        self._dry.discard(number)
        self._parts.append((number, answer))
        if len(self._parts) == len(self._readers):
          return self._join()
      if len(self._parts) == had:
        if time.monotonic() >= deadline:
          return streams.SILENT if streams.SILENT in waits else waits[0]
        time.sleep(_POLL_SECONDS)

  def _join(self) -> _Read:
    numbered, self._parts = sorted(self._parts, key=lambda numbered: numbered[0]), []
    reads = [read for _, read in numbered]
    columns = {name: np.concatenate([read.columns[name] for read in reads]) for name in reads[0].columns}
    return _Read(columns, np.concatenate([read.info for read in reads]), numbered)

  def exhausted(self) -> bool:
    """Whether no server has more to read."""
    dry = [reader.exhausted() for reader in self._readers]  # Each has to be asked: it tells two times apart.
    return all(dry)

  def write_priorities(self, read: _Read, priorities: np.ndarray) -> None:
    """Gives the items of a batch new priorities [B]; the highest so far is each server's own."""
    for (number, own), values in zip(read.parts, np.split(priorities, len(self._readers))):
      self._readers[number].write_priorities(own, values)

  def state(self) -> List[Any]:
    """What the learner saves of it; parts that wait for the others are not among that, as what is read ahead is not."""
    return [reader.state() for reader in self._readers]

  def set_state(self, state: Any) -> None:
    """Continues from `state`, unless that is of another number of servers."""
    if isinstance(state, list) and len(state) == len(self._readers):
      for reader, own in zip(self._readers, state):
        reader.set_state(own)
