"""The core of a run is made anew as a whole where it is lost, from the last checkpoint."""

from __future__ import annotations

import time
from typing import Callable, Optional

from tfacme.launching import stopping
from tfacme.launching.outcomes import CoreLost, Interrupted
from tfacme.workers import failures


def until_it_ends(attempt: Callable[[], None], most: Optional[int], steps: Callable[[], int]) -> None:
  """Makes a run, and again from its last checkpoint where its core is lost, as often as it may be.

  Args:
    attempt: makes it from that checkpoint, or from the beginning if there is none.
    most: times within an hour, and in a row without a newer checkpoint; None is the engines' own.
    steps: of the last checkpoint.
  """
  restarts, reached, in_vain = failures.Restarts(most), steps(), 0
  while True:
    try:
      return attempt()
    except CoreLost as lost:
      what = f'The node {lost.node} was lost, and the run begins again from its last checkpoint'
      before, reached = reached, steps()
      in_vain = 0 if reached > before else in_vain + 1
      if in_vain > restarts.most or restarts.after(what, lost.account) is None:
        raise
    _wait(failures.pause_after(in_vain))  # One that comes to newer checkpoints in between need not wait for long.


def _wait(seconds: float) -> None:
  deadline = time.monotonic() + seconds
  with stopping.StopRequest() as stop:
    while time.monotonic() < deadline:
      if stop.signum is not None:
        raise Interrupted(stop.signum, saved=False)
      time.sleep(0.05)
