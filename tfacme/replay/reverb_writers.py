"""Writing a stream of rows through Reverb: what makes the items of its tables."""

from __future__ import annotations

import functools
from typing import Any, Callable, Dict, Optional, Sequence

import numpy as np
import reverb
from reverb import structured_writer

from tfacme import core, errors
from tfacme.replay import packing, reverb_answers, streams, tables

_REASON = 'the learner to sample (the rate limiter holds inserts)'
_MOST_ROWS = 100_000  # of an episode that is kept whole, with the frames before it


class Writers:
  """Writes one stream into tables of both kinds."""

  def __init__(self, writers: Sequence[streams.StreamWriter]):
    self._writers = writers

  def append(self, row: streams.Columns, last: bool) -> None:
    for writer in self._writers:
      writer.append(row, last)

  def flush(self, wait: float, everything: bool = False) -> Optional[core.Blocked]:
    for writer in self._writers:
      blocked = writer.flush(wait, everything)
      if blocked is not None:
        return blocked
    return None


class ItemWriter:
  """Writes one stream of rows into tables whose items have a fixed length.

  Reverb sends rows in chunks, of a length that it tunes by itself and that is never above the longest item's. So the
  newest items wait here for the rows that fill a chunk, or for a `flush` that leaves nothing behind.
  """

  def __init__(
    self,
    client: reverb.Client,
    server: reverb_answers.Asked,
    described: Sequence[tables.Table],
    codec: packing.Codec,
    pending: Callable[[], int],
  ):
    self._pending = pending
    self._waiter = reverb_answers.Waiter(server, _REASON)
    self._cutter = streams.Cutter(described)
    self._none_due = [False] * len(described)
    structure = {'due': [0] * len(described), **dict.fromkeys(codec.columns, 0)}
    # Which rows complete an item is worked out here, for all back ends alike; Reverb looks at a flag in the row.
    due = structured_writer.Condition.data(structure)['due']
    step = structured_writer.create_reference_step(structure)
    configs = [
      structured_writer.create_config(_pattern(step, table, codec), table.name, [due[i] == 1])
      for i, table in enumerate(described)
    ]
    self._writer = client.structured_writer(configs)
    self._flags = (np.int32(0), np.int32(1))
    self._marker = streams.Marker(codec)
    self._lacks = codec.stack - 1  # rows in front of the stream, so that its first item has its frames

  def append(self, row: streams.Columns, last: bool) -> None:
    """Adds a row, and at the end of an episode whatever items it completes."""
    self._marker.mark(row, last)
    while self._lacks:
      self._push(row, self._none_due)
      self._lacks -= 1
    self._push(row, self._cutter.advance(last))
    if last:
      for due in self._cutter.finish():
        self._push(row, due)

  def flush(self, wait: float, everything: bool = False) -> Optional[core.Blocked]:
    """Waits until the server has taken all items, or all but a few."""
    return _flush(self._writer, wait, 0 if everything else self._pending(), self._waiter)

  def _push(self, row: streams.Columns, due: Sequence[bool]) -> None:
    self._writer.append({'due': [self._flags[is_due] for is_due in due], **row})


def _pattern(step: Any, table: tables.Table, codec: packing.Codec) -> Dict[str, Any]:
  length = table.items.length
  assert length is not None
  pattern: Dict[str, Any] = {}
  for name, which in codec.which(table.items).items():
    first = step[name][-length : -length + 1]
    if which == 'frames':
      pattern[name] = step[name][-length - table.items.stack + 1 :]
    elif which == 'ends':  # Two plain slices: Reverb gets the signature of a stepped one wrong.
      pattern[name] = [first, step[name][-1:]]
    else:
      pattern[name] = first if which == 'first' else step[name][-length:]
  return pattern


class EpisodeWriter:
  """Writes one stream of rows into tables whose items are whole episodes.

  Until an episode ends all of it is held here, and a writer of Reverb's says beforehand how much that may be.
  """

  def __init__(
    self,
    client: reverb.Client,
    server: reverb_answers.Asked,
    described: Sequence[tables.Table],
    codec: packing.Codec,
    pending: Callable[[], int],
  ):
    self._pending = pending
    self._waiter = reverb_answers.Waiter(server, _REASON)
    self._tables = described
    self._codec = codec
    self._count = 0
    self._marker = streams.Marker(codec)
    self._writer = client.trajectory_writer(num_keep_alive_refs=_MOST_ROWS)

  def append(self, row: streams.Columns, last: bool) -> None:
    """Adds a row, and the episode once it is whole; a `UserError` says so if that is too long."""
    if self._count + self._codec.stack > _MOST_ROWS:
      raise errors.UserError(
        f'An episode has more than {self._count:,} rows, the most that a replay server keeps of a whole one, as the '
        f'table {self._tables[0].name!r} asks for; let the environment end it, keep sequences, or run it inline.'
      )
    self._marker.mark(row, last)
    for _ in range(1 if self._count else self._codec.stack):  # The first one again, for the frames of its stacks.
      self._writer.append(dict(row))
    self._count += 1
    if not last:
      return
    for table in self._tables:
      begin = -self._count
      slices = {
        'all': slice(begin, None),
        'first': slice(begin, begin + 1 or None),
        'frames': slice(begin - table.items.stack + 1, None),
      }
      which = self._codec.which(table.items)
      trajectory = {n: self._writer.history[n][slices[which[n]]] for n in which}
      self._writer.create_item(table.name, priority=1.0, trajectory=trajectory)
    self._count = 0

  def flush(self, wait: float, everything: bool = False) -> Optional[core.Blocked]:
    """Waits until the server has taken all items, or, within an episode, all but a few."""
    if self._count or not self._writer.episode_steps:
      return _flush(self._writer, wait, 0 if everything else self._pending(), self._waiter)
    # Only this releases the rows of earlier episodes.
    return _in_time(functools.partial(self._writer.end_episode, clear_buffers=True), wait, self._waiter)


def _flush(writer: Any, wait: float, pending: int, waiter: reverb_answers.Waiter) -> Optional[core.Blocked]:
  return _in_time(functools.partial(writer.flush, pending), wait, waiter)


def _in_time(call: Callable[..., None], wait: float, waiter: reverb_answers.Waiter) -> Optional[core.Blocked]:
  try:
    call(timeout_ms=max(1, int(1000 * wait)))
  except reverb.errors.DeadlineExceededError:
    return waiter.blocked()
  waiter.served()
  return None
