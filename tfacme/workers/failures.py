"""What has failed is closed, and made anew: how often, and after which pauses."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import Any, Callable, List, Optional

from tfacme import errors, mistakes

_LOG = logging.getLogger('tfacme')
_TIMES = 3  # an hour, if nobody has said how often
_HOUR = 3600.0
_CLOSE_SECONDS = 1.0  # that something has to close what it holds when it did not come to its own end
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # seconds before something is made anew: twice as long each time


class Restarts:
  """How often what has failed may still be made anew, and after which pause.

  Attributes:
    most: times within an hour.
  """

  def __init__(self, most: Optional[int]):
    """Args: most: times within an hour; None is the engines' own."""
    self.most = _TIMES if most is None else most
    self._failed: List[float] = []  # when, in the last hour

  def after(self, what: str, account: str) -> Optional[float]:
    """The pause, in seconds, after it has failed once more; None if that was too often.

    Args:
      what: follows, as a sentence, with which the log tells of it.
      account: how it has failed.
    """
    now = time.monotonic()
    recent = [*(then for then in self._failed if now - then < _HOUR), now]
    if len(recent) > self.most:
      if self.most:
        _LOG.warning('%s no more: it was %s within an hour (--restarts)', what, errors.counted(self.most, 'time'))
      return None
    self._failed = recent
    _LOG.warning('%s (%d of %d times in an hour): %s', what, len(recent), self.most, account.rstrip())
    return pause_after(len(recent) - 1)


def pause_after(times: int) -> float:
  """Seconds before something is made anew that has failed so many times before."""
  return min(_FIRST_PAUSE * 2**times, _LONGEST_PAUSE)


class Renewal:
  """Makes environments of an actor anew that have failed, while its other slots keep their episodes."""

  def __init__(self, node: str, make: Callable[[int, int], Any], environments: List[Any], most: Optional[int]):
    """Initializes it.

    Args:
      node: the actor's name.
      make: makes the environment of a slot, for the how many-th time in that actor.
      environments: the list that an actor of one's own may hold, where the new one takes the place of the old one.
      most: times within an hour; None is the engines' own.
    """
    self._node = node
    self._make = make
    self._environments = environments
    self._restarts = Restarts(most)
    self._times = 0

  def __call__(self, slot: int, error: Exception) -> Any:
    """A new environment for a slot; raises the error if there is to be none, as for a mistake of the user."""
    what = f'The environment of slot {slot} of {self._node} has failed, and is made anew'
    if isinstance(error, errors.UserError) or self._restarts.after(what, mistakes.account(error)) is None:
      raise error
    self._times += 1
    close(self._environments[slot])  # First: it may hold what there is but one of.
    self._environments[slot] = self._make(slot, self._times)
    return self._environments[slot]


def close(worker: Any) -> None:
  """Closes a worker at the end of a run, however it ends, or an environment; nothing if there is nothing to close.

  A worker that finishes closes itself, and a failure there is the run's. Here it would only hide why the run ended, and
  so would an environment whose `close` never returns, as when its simulator has died.
  """
  if not hasattr(worker, 'close'):
    return

  def close_quietly():
    with contextlib.suppress(Exception, SystemExit):
      worker.close()

  closing = threading.Thread(target=close_quietly, name='closing', daemon=True)
  closing.start()
  closing.join(_CLOSE_SECONDS)
