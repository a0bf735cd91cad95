"""What has failed is made anew: how often, and after which pauses. The core of a run is made anew as a whole."""

from __future__ import annotations

import logging
import time
from typing import Callable, List, Optional

from tfacme.launching import stopping
from tfacme.launching.outcomes import CoreLost, Interrupted

_LOG = logging.getLogger('tfacme')
_TIMES = 3  # an hour, if nobody has said how often
_HOUR = 3600.0
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
      return None
    self._failed = recent
    _LOG.warning('%s (%d of %d times in an hour): %s', what, len(recent), self.most, account.rstrip())
    return _pause(len(recent) - 1)


def _pause(times: int) -> float:
  """Seconds before something is made anew that has failed so many times before."""
  return min(_FIRST_PAUSE * 2**times, _LONGEST_PAUSE)


def until_it_ends(attempt: Callable[[], None], most: Optional[int], steps: Callable[[], int]) -> None:
  """Makes a run, and again from its last checkpoint where its core is lost, as often as it may be.

  Args:
    attempt: makes it from that checkpoint, or from the beginning if there is none.
    most: times within an hour, and in a row without a newer checkpoint; None is the engines' own.
    steps: of the last checkpoint.
  """
  restarts, reached, in_vain = Restarts(most), steps(), 0
  while True:
    try:
      return attempt()
    except CoreLost as lost:
      what = f'The node {lost.node} was lost, and the run begins again from its last checkpoint'
      before, reached = reached, steps()
      in_vain = 0 if reached > before else in_vain + 1
      if restarts.after(what, lost.account) is None or in_vain > restarts.most:
        raise
    _wait(_pause(in_vain))  # One that comes to newer checkpoints in between need not wait for long.


def _wait(seconds: float) -> None:
  deadline = time.monotonic() + seconds
  with stopping.StopRequest() as stop:
    while time.monotonic() < deadline:
      if stop.signum is not None:
        raise Interrupted(stop.signum, saved=False)
      time.sleep(0.05)
