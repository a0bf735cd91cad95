"""Writing into a replay that is beside the learner: rows are gathered here, and go many at a time; see `hosted`."""

from __future__ import annotations

import secrets
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from tfacme import core, errors
from tfacme.replay import packing, streams, tables

_SECONDS = 0.05  # that a row waits for more, where rows are made slowly
_HOLD_SECONDS = 0.5  # for which an answer is held back where there is no room: who waits hears of it at once
_SILENT_SECONDS = 2.0  # after which somebody who owes an answer is said not to answer
_FULL = core.Blocked('the learner to sample (the rate limiter holds inserts)')
_SILENT = core.Blocked('the learner, beside which the replay is, and which does not answer')
_AGAIN_SECONDS = 0.1  # before a call that did not come through is made again
_MOST_ROWS = 64  # of a call, but where there are more at once
_MOST_BYTES = 2**23  # of those


class VisitedReplay:
  """The tables beside a learner, as those see them who write into them; see `streams.Replay`.

  Rows are sent once there are some, or once the oldest has waited for a moment. Meanwhile its streams go on, until as
  many rows again have come. So actors run ahead of a rate limiter, by a part of what that lets the sides run apart;
  what comes into the tables keeps to it exactly.
  """

  kind = 'numpy'

  def __init__(self, remote: Any, name: str, codec: packing.Codec, described: Sequence[tables.Table], rows: int):
    """Initializes the client.

    Args:
      remote: calls methods of a `hosted.HostedReplay`; see `graph.remote.Remote`.
      name: of the node that writes.
      codec: of the rows.
      described: the tables.
      rows: how many go at a time; see `rows_at_a_time`.
    """
    self.codec = codec
    self._remote = remote
    self._visitor = (name, secrets.token_hex(8))
    self._tables = described
    self._places = codec.places()
    width = max(place.stop for place in self._places.values())
    self._most = max(1, _MOST_BYTES // width)
    rows = self._at_a_time = min(rows, self._most)
    self._roles: List[str] = []
    self._rows = np.zeros((2 * rows, width), np.uint8)
    self._marks = np.zeros(2 * rows, np.int32)
    self._count = 0
    self._oldest = 0.0  # when the first of these rows came, on the monotonic clock
    self._due = False  # whether they complete an item of a queue
    self._number = 0  # of the next call
    self._call: Any = None
    self._arguments: Tuple[Any, ...] = ()  # of it
    self._began = 0.0
    self._full: Optional[core.Blocked] = None  # as of the last answer
    self._left = 0  # rows that wait for room, as of the last answer
    self._waits = False  # whether whoever acts waits for the call that is on its way

  def writer(self, role: str = 'actor') -> _Writer:
    """A writer for one stream of a role."""
    self._roles.append(role)
    queues = [table for table in self._tables if role in table.written_by and table.is_queue]
    return _Writer(self, len(self._roles) - 1, queues)

  def reader(self, table: tables.Table, batch_size: int) -> streams.Reader:
    """There is none here."""
    del batch_size
    raise errors.UserError(
      f'The replay is beside the learner, which alone reads {table.name!r}; where others read it too, it has to be in '
      'a server (--replay reverb).'
    )

  def usage(self) -> Dict[str, streams.Usage]:
    """How much each table is used."""
    return self._remote.usage()

  def save(self, path: str) -> str:
    """Has it written into the folder `path`, which is the learner's; returns the digest."""
    return self._remote.begin('save', path).result(patient=True)  # A large one takes minutes on a slow disk.

  def close(self) -> None:
    """Gives up what is on its way."""
    self._remote.close()

  def add(self, stream: int, row: streams.Columns, last: bool, due: bool) -> None:
    """Takes a row of a stream; `due` says that it completes an item of a queue."""
    count = self._count
    if count == len(self._marks):
      self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
      self._marks = np.concatenate([self._marks, np.zeros_like(self._marks)])
    packed = self._rows[count]
    for name, place in self._places.items():
      packed[place] = row[name]
    self._marks[count] = 2 * stream + last
    if not count:
      self._oldest = time.monotonic()
    self._count = count + 1
    self._due = self._due or due

  def flush(self, wait: float, everything: bool) -> Optional[core.Blocked]:
    """See `streams.StreamWriter.flush`; for all streams together."""
    deadline = time.monotonic() + wait
    while True:
      if self._call is not None:
        waits = everything or self._waits or self._full is not None or self._is_due(late=False)
        if not self._call.wait(max(0.0, deadline - time.monotonic()) if waits else 0.0):
          return self._blocked() if waits else None
        if not self._take():
          return _SILENT
      if everything and not self._count and not self._left:
        return None  # All is there; that there is no room for more does not matter.
      if not everything and self._full is None and not self._is_due():
        return None
      self._send()

  def _take(self) -> bool:
    """Takes an answer, see `HostedReplay.write`; calls again if the learner could not be reached."""
    try:
      reason, self._left = self._call.result()
    except RuntimeError as error:
      if getattr(error, 'reached', True):
        raise
      time.sleep(_AGAIN_SECONDS)
      self._call = self._remote.begin('write', *self._arguments)  # Should it have come to that once, it counts once.
      return False
    self._call, self._waits = None, False
    self._full = None if reason is None else core.Blocked(reason)
    return True

  def _blocked(self) -> core.Blocked:
    silent = time.monotonic() > self._began + _HOLD_SECONDS + _SILENT_SECONDS
    return _SILENT if silent else self._full or _FULL

  def _is_due(self, late: bool = True) -> bool:
    """Whether rows have to be sent; with `late` also those that have waited long enough, though nobody waits for it."""
    if not self._count:
      return False
    return self._due or self._count >= self._at_a_time or (late and time.monotonic() > self._oldest + _SECONDS)

  def _send(self) -> None:
    count = min(self._count, self._most)
    # What comes to a queue is of the newest policy only if nobody acts ahead of the learner.
    self._waits, self._due = self._due or self._waits, self._due and count < self._count
    rows, marks = self._rows[:count].tobytes(), self._marks[:count].tobytes()
    left, self._count = slice(count, self._count), self._count - count
    self._rows[: self._count], self._marks[: self._count] = self._rows[left], self._marks[left]
    self._began = time.monotonic()
    self._arguments = (self._visitor, self._number, self._roles, rows, marks, _HOLD_SECONDS)
    self._call, self._number = self._remote.begin('write', *self._arguments), self._number + 1


class _Writer:
  """Writes one stream; see `streams.StreamWriter`."""

  def __init__(self, replay: VisitedReplay, stream: int, queues: Sequence[tables.Table]):
    self._replay = replay
    self._stream = stream
    self._cutter = streams.Cutter(queues) if queues else None

  def append(self, row: streams.Columns, last: bool) -> None:
    """Adds a row."""
    self._replay.add(self._stream, row, last, self._cutter is not None and self._completes(last))

  def flush(self, wait: float, everything: bool = False) -> Optional[core.Blocked]:
    """Waits until there is room for more, or until all is there."""
    return self._replay.flush(wait, everything)

  def _completes(self, last: bool) -> bool:
    """Whether a row completes an item of a queue."""
    assert self._cutter is not None
    due = any(self._cutter.advance(last))
    return any([due, *map(any, self._cutter.finish())]) if last else due


def rows_at_a_time(described: Sequence[tables.Table], nodes: int) -> int:
  """How many rows each of so many nodes may send at a time.

  As many again are gathered meanwhile: what they are ahead by together is a tenth of what rate limiters let samples and
  inserts run apart, or two rows of each.
  """
  rooms = [
    (table.limiter.high - table.limiter.low) / table.limiter.samples_per_insert * table.items.period
    for table in described
    if table.limiter.bounds_samples and table.limiter.bounds_inserts
  ]
  return max(1, min(_MOST_ROWS, *(int(room / 20 / nodes) for room in rooms)) if rooms else _MOST_ROWS)
