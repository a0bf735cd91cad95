"""Whether a replay server answers: who seems to wait for its rate limiter may wait for one that is stopped."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Optional

import reverb

from tfacme import core
from tfacme.replay import streams

_PATIENCE_SECONDS = 5.0  # after which who waits looks whether the server answers, again and again
_ANSWER_SECONDS = 5  # in which it does; Reverb takes whole ones
_EVERY_SECONDS = 10.0  # between two questions


class Asked:
  """A server as who waits for it sees it; it is asked in a thread of its own, so that nobody waits for the answer."""

  def __init__(self, client: Any, clock: Callable[[], float] = time.monotonic):
    self._client = client
    self.clock = clock
    self._lock = threading.Lock()
    self._asked_at = float('-inf')
    self._silent = False

  def answers(self) -> bool:
    """Whether it did when it was last asked; asks once more if that is some time ago."""
    with self._lock:
      now = self.clock()
      if due := now > self._asked_at + _EVERY_SECONDS:
        if now > self._asked_at + 2 * _EVERY_SECONDS:  # What it did so long ago says nothing.
          self._silent = False
        self._asked_at = now
    if due:
      threading.Thread(target=self._ask, name='answers', daemon=True).start()
    return not self._silent

  def _ask(self) -> None:
    try:
      self._client.server_info(timeout=_ANSWER_SECONDS)
      self._silent = False
    except (reverb.errors.ReverbError, RuntimeError):
      self._silent = True


class Waiter:
  """One who waits for a server again and again, and says for what."""

  def __init__(self, server: Asked, reason: str):
    """Args: reason: what it waits for if the server answers."""
    self._server = server
    self._blocked = core.Blocked(reason)
    self._since: Optional[float] = None

  def blocked(self) -> core.Blocked:
    """What it waits for, once more since it was served."""
    now = self._server.clock()
    if self._since is None:
      self._since = now
    if now - self._since < _PATIENCE_SECONDS or self._server.answers():
      return self._blocked
    return streams.SILENT

  def served(self) -> None:
    """It has got what it waited for."""
    self._since = None
