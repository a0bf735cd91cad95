"""Rows of logs from a host that does not have the run's folder: they travel to the counter, which writes them."""

from __future__ import annotations

import secrets
import time
from typing import Any, Callable, Dict, List, Optional

from tfacme import loggers
from tfacme.workers import counting

_PERIOD_SECONDS = 0.5  # between two calls: short episodes are many


def logger(logged: Optional[loggers.OfRun], node: str, counter: counting.CounterClient) -> loggers.Logger:
  """The logger of a node that may be on any host; of a run without a folder, in memory."""
  if logged is None:
    return loggers.MemoryLogger()
  if counter.prompt or logged.is_here():
    return logged.logger(node)
  return loggers.NodeColumns(Forwarded(node, counter))


class Forwarded:
  """A logger whose rows the counter writes, where the run's folder is."""

  def __init__(self, node: str, counter: counting.CounterClient, clock: Callable[[], float] = time.monotonic):
    self._node = node
    self._counter = counter
    self._clock = clock
    self._token = secrets.token_hex(8)  # A node that is made anew counts its rows anew.
    self._sent = 0
    self._rows: List[Dict[str, Any]] = []
    self._due = clock()

  def write(self, row: loggers.Row) -> None:
    """Keeps the row for the next call."""
    self._rows.append(dict(row))
    if self._clock() >= self._due:
      self.flush()

  def flush(self) -> None:
    """Sends what there is."""
    rows, self._rows = self._rows, []
    self._due = self._clock() + _PERIOD_SECONDS
    if rows:
      self._counter.write(self._node, self._token, self._sent, rows)
      self._sent += len(rows)

  def close(self) -> None:
    """Sends the last rows; the counter closes its files at the end of the run."""
    self.flush()
