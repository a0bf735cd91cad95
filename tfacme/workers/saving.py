"""The saver: writes checkpoints during a run, and what the run leaves behind at its end."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any, Callable, Mapping, Optional

from tfacme import checkpoints, core
from tfacme.workers import counting, tallies

_SAVED = 'saved'  # what is noted of a saver once it has written the checkpoint of a run that is stopped
_IDLE = core.Blocked('the next checkpoint', idle=True)


@dataclasses.dataclass(frozen=True)
class SaverParts:
  """What a saver is made of.

  Attributes:
    name: of its node.
    tally: the node's side of the counter.
    folder: of the checkpoints; None if the run leaves nothing behind.
    parts: name -> saves that part into a folder and returns its digest; in the order in which they are saved.
    steps: says of what was saved into a folder how far the run had come, in `unit`.
    export: writes the policy of a checkpoint, whose folder it is given; called after each.
    leave: writes what else the run leaves behind at its end: the curve.
    ended: why the run ended before its budget was spent, or None.
    unit: what `every` counts.
    every: steps between checkpoints; 0 is only at the end.
    budget: steps of the run.
    keep: how many checkpoints stay.
  """

  name: str
  tally: tallies.Tally
  folder: Optional[str]
  parts: Mapping[str, Callable[[str], Any]]
  steps: Callable[[str], int]
  export: Callable[[str], None]
  leave: Callable[[], None]
  ended: Callable[[], Optional[str]]
  unit: str
  every: int
  budget: int
  keep: int


def has_saved(status: Mapping[str, Any], name: str) -> bool:
  """Whether the saver of a name has written the checkpoint of a run that is stopped, by a counter's status."""
  return bool(status['notes'].get(name, {}).get(_SAVED))


class Saver:
  """Saves learner, counter and replay together; the last worker of a run to be done; a `core.Worker`."""

  runs_until_blocked = False

  def __init__(self, parts: SaverParts):
    self.name = parts.name
    self._parts = parts
    self.tally = parts.tally
    self._done = False
    self.tally.join([])
    self._next = self._after(self.tally.total(parts.unit))

  def step(self, wait: float) -> core.Outcome:
    """Writes a checkpoint if one is due."""
    if self._done:
      return core.Progress.DONE
    self.tally.refresh()
    if self.tally.phase >= counting.PHASES.index('saver'):
      self._finish()
      self.tally.report(finished=True)
      self._done = True
      return core.Progress.DONE
    if self.tally.total(self._parts.unit) >= self._next:
      with self.tally.doing('saving a checkpoint'):
        self._save()
      self._next = self._after(self.tally.total(self._parts.unit))
      return core.Progress.DID
    if wait:
      time.sleep(wait)
    return _IDLE

  def interrupt(self) -> None:
    """Saves what there is, since the run is being stopped; nothing before all prefills are written.

    What of a prefill is in the replay is not known exactly. The actors have not begun, so little is lost, and a resumed
    run has an older checkpoint, whose replay is whole.
    """
    if self._done:
      return
    self.tally.report()
    if self.tally.phase < counting.ACTING:
      return
    checkpoint = self._write()
    # Whoever stops the run may not wait for the rest, and has to know what there is to go on from.
    self.tally.counter.note(self.name, {_SAVED: True})
    if checkpoint is not None:
      self._parts.export(checkpoint)

  def close(self) -> None:
    """See `core.Worker`; it holds nothing open."""

  def _after(self, steps: int) -> float:
    due = (steps // self._parts.every + 1) * self._parts.every if self._parts.every else math.inf
    return due if due < self._parts.budget else math.inf  # The one at the end is written anyway.

  def _write(self) -> Optional[str]:
    """Writes a checkpoint and returns its folder, if there is one."""
    if self._parts.folder is None:
      return None
    return checkpoints.write(self._parts.folder, self._parts.steps, self._parts.parts, self._parts.keep)

  def _save(self) -> Optional[str]:
    """Writes a checkpoint and its policy, and returns the folder of the checkpoint, if there is one."""
    checkpoint = self._write()
    if checkpoint is not None:  # After it: if the policy can't be written, nothing has to be learned again.
      self._parts.export(checkpoint)
    return checkpoint

  def _finish(self) -> None:
    with self.tally.doing('saving the last checkpoint, the policy and the curve'):
      checkpoint = self._save()
      self._parts.leave()
      if checkpoint is not None:
        checkpoints.complete(checkpoint, self._parts.ended())
