"""Several replay servers of one run: each has its part of every table, of the actors and of each batch."""

from __future__ import annotations

import dataclasses
import math
import os
import re
from typing import Any, Dict, List, Optional, Sequence, Union

import numpy as np

from tfacme import core, errors
from tfacme.replay import packing, sources, streams, tables


def names(count: int) -> List[str]:
  """The names of the nodes of so many servers, and of what checkpoints have of them."""
  return ['replay'] if count == 1 else [f'replay-{i}' for i in range(count)]


def saved(checkpoint: Optional[str]) -> List[str]:
  """The names of those whose contents a checkpoint has."""
  found = os.listdir(checkpoint) if checkpoint else []
  return sorted(name for name in found if re.fullmatch(r'replay(-\d+)?', name))


def check(count: int, actors: int, samples: Sequence[sources.Sample], users: Sequence[str]) -> None:
  """Raises a `UserError` if not all of so many servers would have equal parts.

  Args:
    count: of servers.
    actors: of the run.
    samples: what a batch has of the tables.
    users: the names of those who use the tables beside actors and learner.
  """
  if count <= 1:
    return
  for what, total in [(f'{actors} actors', actors), *((f'a batch of {s.batch_size}', s.batch_size) for s in samples)]:
    if total % count:
      raise errors.UserError(
        f'Each replay server has as many of the actors and of each batch, and {what} can not be shared out among '
        f'{count}: choose another number (--replays).'
      )
  if users:
    raise errors.UserError(
      f'Tables that {errors.listed(users)} uses, beside the actors, are in one server: leave --replays out.'
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

    def total(name: str, what: str) -> float:
      return sum(getattr(own[name], what) for own in each)

    return {
      t.name: streams.usage(t, *(total(t.name, w) for w in ('size', 'inserted', 'sampled'))) for t in self._tables
    }


@dataclasses.dataclass
class _Read:
  """A batch as it was read; see `streams.Read`."""

  columns: streams.Columns
  info: np.ndarray
  parts: Sequence[streams.Read]


class _Reader:
  """Reads a part of each batch from each server; what one of them gave waits for the others."""

  def __init__(self, readers: Sequence[streams.Reader]):
    self.codec: packing.Codec = readers[0].codec
    self._readers = readers
    self._waiting: List[Optional[streams.Read]] = [None] * len(readers)

  def read(self, wait: float, now: int) -> Union[_Read, core.Blocked]:
    """A batch, or what it waits for after `wait` seconds."""
    for i, reader in enumerate(self._readers):
      if self._waiting[i] is None:
        read = reader.read(wait, now)
        if isinstance(read, core.Blocked):
          return read
        self._waiting[i] = read
    parts, self._waiting = self._waiting, [None] * len(self._readers)
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    return _Read(columns, np.concatenate([part.info for part in parts]), parts)

  def exhausted(self) -> bool:
    """Whether a server that has to give its part has no more to read."""
    return any(reader.exhausted() for reader, waiting in zip(self._readers, self._waiting) if waiting is None)

  def write_priorities(self, read: _Read, priorities: np.ndarray) -> None:
    """Gives the items of a batch new priorities [B]; the highest so far is each server's own."""
    for reader, own, values in zip(self._readers, read.parts, np.split(priorities, len(self._readers))):
      reader.write_priorities(own, values)

  def state(self) -> List[Any]:
    """What the learner saves of it."""
    return [reader.state() for reader in self._readers]

  def set_state(self, state: Any) -> None:
    """Continues from `state`, unless that is of another number of servers."""
    if isinstance(state, list) and len(state) == len(self._readers):
      for reader, own in zip(self._readers, state):
        reader.set_state(own)
