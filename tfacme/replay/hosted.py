"""A replay beside the learner, in whose process it is, for writers in other threads, processes and hosts.

It is the replay in numpy arrays, with a lock around it. Rows come many at a time; see `visiting` for who sends them.
"""

from __future__ import annotations

import collections
import threading
import time
from typing import Any, Deque, Dict, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np

from tfacme import core
from tfacme.replay import numpy_replay, packing, streams, tables
from tfacme.replay.numpy_table import Read


class Outdated(Exception):
  """Whoever writes was made anew meanwhile."""


class HostedReplay:
  """A replay whose reader waits for writers, and whose writers wait for its reader; see `streams.Readable`.

  Attributes:
    lock: held while anything is read or written.
  """

  def __init__(self, replay: numpy_replay.NumpyReplay):
    self.codec = replay.codec
    self._replay = replay
    self.lock = threading.Lock()
    self._inserted = threading.Condition(self.lock)  # who reads waits for it
    self._sampled = threading.Condition(self.lock)  # who writes waits for it
    self._visitors: Dict[str, _Visitor] = {}
    self._gone: set[str] = set()
    self._closed = False

  def reader(self, table: tables.Table, batch_size: int) -> _Reader:
    """A reader of batches from a table, for the learner."""
    return _Reader(self, self._replay.reader(table, batch_size))

  def read(self, reader: numpy_replay.NumpyReader, wait: float, now: int) -> Union[Read, core.Blocked]:
    """What one of its readers reads, or what that waits for after `wait` seconds."""
    with self.lock:
      read = reader.read(0.0, now)
      if isinstance(read, core.Blocked) and wait > 0:
        self._inserted.wait_for(lambda: self._closed or not reader.exhausted(), wait)
        read = reader.read(0.0, now)
      if not isinstance(read, core.Blocked) and self._replay.has_room():
        self._sampled.notify_all()
      return read

  def usage(self) -> Dict[str, streams.Usage]:
    """How much each table is used."""
    with self.lock:
      return self._replay.usage()

  def save(self, path: str) -> str:
    """See `NumpyReplay.save`; nothing is written or read meanwhile."""
    with self.lock:
      return self._replay.save(path)

  def write(
    self, visitor: Tuple[str, str], number: int, roles: Sequence[str], rows: bytes, marks: bytes, wait: float
  ) -> Tuple[Optional[str], int]:
    """Adds rows, as far as rate limiters let it in so many seconds, and keeps the others for the visitor's next call.

    A call may come twice, and counts once.

    Args:
      visitor: the name of the node that writes, and an id of this life of it.
      number: of the call, by which one that comes again is known.
      roles: of the streams of the visitor so far, by their numbers.
      rows: packed, the columns one after the other; see `Codec.places`.
      marks: int32 of each row: twice the number of its stream, and 1 more for the last row of an episode.
      wait: seconds.

    Returns:
      (what the next row waits for, or None, how many rows wait here).

    Raises:
      Outdated: the node was made anew.
    """
    deadline = time.monotonic() + wait
    with self.lock:
      known = self._visitor(*visitor)
      if number > known.number:
        known.number = number
        known.streams += [self._replay.writer(role) for role in roles[len(known.streams) :]]
        known.rows.extend(_rows(self.codec, rows, marks))
      while True:
        before = len(known.rows)
        blocked = known.insert()
        if len(known.rows) < before:
          self._inserted.notify_all()
        left = deadline - time.monotonic()
        if blocked is None or left <= 0 or self._closed:
          return blocked and blocked.reason, len(known.rows)
        self._sampled.wait(left)

  def close(self) -> None:
    """Wakes all who wait."""
    with self.lock:
      self._closed = True
      self._inserted.notify_all()
      self._sampled.notify_all()

  def _visitor(self, name: str, life: str) -> _Visitor:
    if life in self._gone:
      raise Outdated(f'{name} was made anew, and another one writes in its place.')
    known = self._visitors.get(name)
    if known is None or known.life != life:
      if known is not None:
        self._gone.add(known.life)
        known.leave()
      known = self._visitors[name] = _Visitor(life)
    return known


class _Visitor:
  """Who writes: a node, with a stream for each of its environments."""

  def __init__(self, life: str):
    self.life = life
    self.number = -1  # of the last call that counted
    self.streams: List[numpy_replay.NumpyWriter] = []
    self.rows: Deque[Tuple[int, streams.Columns, bool]] = collections.deque()  # that wait for room: (stream, row, last)

  def insert(self) -> Optional[core.Blocked]:
    """Inserts rows until one has to wait, or, if none has to, the next one that comes would: says for what."""
    while self.rows:
      stream, row, last = self.rows[0]
      blocked = self.streams[stream].flush(0.0)
      if blocked is not None:
        return blocked
      self.streams[stream].append(row, last)
      self.rows.popleft()
    return self.streams[-1].flush(0.0) if self.streams else None

  def leave(self) -> None:
    for stream in self.streams:
      stream.close()


class _Reader:
  """Reads batches from one table; see `streams.Reader`."""

  def __init__(self, hosted: HostedReplay, reader: numpy_replay.NumpyReader):
    self.codec: packing.Codec = reader.codec
    self._hosted = hosted
    self._reader = reader

  def read(self, wait: float, now: int) -> Union[Read, core.Blocked]:
    """A batch, or what it waits for after `wait` seconds."""
    return self._hosted.read(self._reader, wait, now)

  def exhausted(self) -> bool:
    """Whether there is no more to read until something is inserted."""
    with self._hosted.lock:
      return self._reader.exhausted()

  def write_priorities(self, read: Any, priorities: np.ndarray) -> None:
    """Gives the items of a batch new priorities [B]."""
    with self._hosted.lock:
      self._reader.write_priorities(read, priorities)

  def state(self) -> None:
    """None: all that is saved of it is in its table."""

  def set_state(self, state: Any) -> None:
    """See `state`."""


def _rows(codec: packing.Codec, rows: bytes, marks: bytes) -> Iterator[Tuple[int, streams.Columns, bool]]:
  """(stream, row, whether it is its episode's last) of rows as they were sent."""
  numbers = np.frombuffer(marks, np.int32).tolist()
  if not numbers:
    return
  # A copy, for a writer marks the frames in it.
  packed = np.frombuffer(bytearray(rows), np.uint8).reshape(len(numbers), -1)
  columns = {name: packed[:, place] for name, place in codec.places().items()}
  for i, number in enumerate(numbers):
    yield number >> 1, {name: column[i] for name, column in columns.items()}, bool(number & 1)
