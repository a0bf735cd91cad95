"""Writing a stream of rows into tables: the half of a writer that both replay back ends share."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Protocol, Sequence, Union

import numpy as np

from tfacme import core
from tfacme.replay.items import Cursor
from tfacme.replay.packing import Codec
from tfacme.replay.tables import Table

Columns = Mapping[str, np.ndarray]
SILENT = core.Blocked('the replay server, which does not answer')


class StreamWriter(Protocol):
  """Writes one stream of packed rows, and makes the items that its tables ask for."""

  def append(self, row: Columns, last: bool) -> None:
    """Adds a row: {column: uint8 [bytes]}; the caller may use the memory again."""
    ...

  def flush(self, wait: float, everything: bool = False) -> Optional[core.Blocked]:
    """Asks before a row is made whether the tables have room; waits for it at most `wait` seconds.

    A few of the newest items may stay with the writer until more rows come, or until `everything` is flushed.

    Args:
      wait: seconds.
      everything: wait until all items are inserted (at the end of a stream).

    Returns:
      What it still waits for, or None.
    """
    ...


class Usage(NamedTuple):
  """How full a table is, and what went through it in the whole run; NaN while its server has not said so yet."""

  size: float  # items that it holds
  max_size: int
  inserted: float  # items
  sampled: float  # items
  samples_per_insert: float  # as `tables.Limiter.realized` has it


def usage(table: Table, size: float, inserted: float, sampled: float) -> Usage:
  """How much a table is used, from what its replay counts."""
  return Usage(size, table.max_size, inserted, sampled, table.limiter.realized(inserted, sampled))


class Readable(Protocol):
  """A replay as a learner sees it, in this process or in others."""

  def reader(self, table: Table, batch_size: int) -> Reader:
    """A reader of batches from a table."""
    ...

  def usage(self) -> Dict[str, Usage]:
    """How much each table is used; the same tables at every call."""
    ...


class Replay(Readable, Protocol):
  """A replay as its clients see it, in this process or in another one.

  Attributes:
    kind: of what it saves, 'numpy' or 'reverb', which only a replay of this kind can restore.
  """

  kind: str

  def writer(self, role: str = 'actor') -> StreamWriter:
    """A writer for one stream of a role, into the tables that are written by it."""
    ...

  def save(self, path: str) -> Optional[str]:
    """Writes everything into the folder `path`; returns a digest of it, if it is at hand."""
    ...


class Read(Protocol):
  """One batch as it was read: packed, with what is needed to write priorities back."""

  columns: Columns  # uint8 [B, rows, bytes]
  info: np.ndarray  # uint8 [B, bytes]; see `packing.INFO`


class Reader(Protocol):
  """Reads batches from one place."""

  codec: Codec

  def read(self, wait: float, now: int) -> Union[Read, core.Blocked]:
    """One batch, or what it waits for after `wait` seconds; `now` is the number of learner steps."""
    ...

  def exhausted(self) -> bool:
    """Whether, once nothing is inserted any more, there is nothing more to read."""
    ...

  def write_priorities(self, read: Read, priorities: np.ndarray) -> None:
    """Gives the items of a batch new priorities [B]; items to come have the highest so far."""
    ...

  def state(self) -> Any:
    """What the learner saves of it, as plain values."""
    ...

  def set_state(self, state: Any) -> None:
    """Continues from where `state` stood."""
    ...


class Cutter:
  """Follows one stream and says which tables have an item due at each row."""

  def __init__(self, tables: Sequence[Table]):
    self._cursors = [Cursor(table.items) for table in tables]

  def advance(self, last: bool) -> List[bool]:
    """Counts a row: for each table, whether its newest rows are an item."""
    return [cursor.advance(last) for cursor in self._cursors]

  def finish(self) -> List[List[bool]]:
    """Ends an episode: for each time that its last row has to be repeated, what is due."""
    dues = [cursor.finish() for cursor in self._cursors]
    longest = max(map(len, dues), default=0)
    return [[i < len(due) and due[i] for due in dues] for i in range(longest)]


class Marker:
  """Follows one stream and says in each row how many frames of its episode came before; see `packing.Codec`."""

  def __init__(self, codec: Codec):
    self._codec = codec
    self._past = 0
    self._most = codec.stack - 1

  def mark(self, row: Columns, last: bool) -> None:
    """Marks the next row."""
    if self._most:
      self._codec.mark(row, self._past)
      self._past = 0 if last else min(self._past + 1, self._most)
