"""Whether a replay server answers: who waits for its rate limiter may wait for one that is stopped, or still loads."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Optional

from tfacme import core

_PATIENCE_SECONDS = 5.0  # after which who waits looks whether the server answers, again and again
_ANSWER_SECONDS = 5.0  # in which it does
_SILENT = 'the replay server, which does not answer'


class Server:
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
      if due := self.clock() > self._asked_at + _PATIENCE_SECONDS + _ANSWER_SECONDS:
        self._asked_at = self.clock()
    if due:
      threading.Thread(target=self._ask, name='answers', daemon=True).start()
    return not self._silent

  def _ask(self) -> None:
    try:
      self._client.server_info(timeout=_ANSWER_SECONDS)
      self._silent = False
    except Exception:  # It is asked by who waits for it, who has no use for why.
      self._silent = True


class Waiter:
  """One who waits for a server again and again, and says for what."""

  def __init__(self, server: Server, reason: str):
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
    return core.Blocked(_SILENT)

  def served(self) -> None:
    """It has got what it waited for."""
    self._since = None
