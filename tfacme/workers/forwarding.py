"""Rows of logs from a host that does not have the run's folder: they travel to the counter, which writes them."""

from __future__ import annotations

import secrets
import threading
import time
from typing import Any, Dict, List, Optional

from tfacme import loggers

_CLOSE_SECONDS = 1.0  # that the last rows have to arrive


class Forwarded:
  """A logger whose rows the counter writes, where the run's folder is.

  They are sent by a thread of its own, so that nobody waits for them, and none waits for the next one.
  """

  def __init__(self, node: str, counter: Any, period: float):
    """Args: counter: a client of the counter, with `begin`; period: seconds between two calls."""
    self._node = node
    self._counter = counter
    self._period = period
    self._token = secrets.token_hex(8)  # A node that is made anew counts its rows anew.
    self._lock = threading.Lock()
    self._rows: List[Dict[str, Any]] = []  # that have not arrived
    self._arrived = 0
    self._error: Optional[Exception] = None
    self._over = threading.Event()
    self._thread = threading.Thread(target=self._send_all, name='rows', daemon=True)
    self._thread.start()

  def write(self, row: loggers.Row) -> None:
    """Keeps the row for the next call; raises what the last one has raised."""
    if self._error is not None:
      raise self._error
    with self._lock:
      self._rows.append(dict(row))

  def close(self) -> None:
    """Sends the last rows; the counter closes its files at the end of the run."""
    if self._over.is_set():
      return
    self._over.set()
    self._thread.join(_CLOSE_SECONDS)
    if self._error is None and self._rows:  # Also where the run stops: the counter stops after all others.
      sent, deadline = self._begin(self._rows), time.monotonic() + _CLOSE_SECONDS
      while not sent.done() and time.monotonic() < deadline:
        time.sleep(0.01)

  def _send_all(self) -> None:
    while not self._over.wait(self._period):
      with self._lock:
        rows = list(self._rows)
      if not rows:
        continue
      try:
        self._begin(rows).result()
      except Exception as error:
        self._error = error
        return
      with self._lock:
        del self._rows[: len(rows)]
        self._arrived += len(rows)

  def _begin(self, rows: List[Dict[str, Any]]) -> Any:
    return self._counter.begin('write', self._node, self._token, self._arrived, rows)
