"""A node's own side of the counter."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import secrets
import time
from typing import Any, Callable, Dict, Iterator, Optional, Sequence, Tuple

from tfacme.workers import counting


@dataclasses.dataclass
class Tally:
  """One node's side of the counter: its own counts, its lease of the budget, and the newest totals.

  Where calls cost something, it tells the counter how far it has come once in `period`, whatever its speed, and claims
  what it can use until then. Where they cost nothing it tells of every step, and looks at no clock.

  Attributes:
    node: its name.
    counter: the counter or a client of it.
    period: seconds between two calls of a node that spends the budget.
    clock: seconds.
    counts: its own counts since the run began.
    phase: of the run, as the counter last said.
    notes: for a display; go out with the next report.
  """

  node: str
  counter: counting.CounterClient
  period: float = 0.5
  clock: Callable[[], float] = time.monotonic
  counts: Dict[str, int] = dataclasses.field(default_factory=dict)
  phase: int = 0
  notes: Dict[str, Any] = dataclasses.field(default_factory=dict)
  _granted: int = 0
  _totals: Dict[str, int] = dataclasses.field(default_factory=dict)
  _reported: Dict[str, int] = dataclasses.field(default_factory=dict)
  _claimed: Tuple[float, int] = (-math.inf, 0)  # when it claimed last, and what it had counted by then
  _lease: int = 0  # steps that it wanted then
  _token: str = dataclasses.field(default_factory=lambda: secrets.token_hex(8))

  def join(self, names: Sequence[str]) -> None:
    """Begins, or resumes, with counts of these names."""
    counts = self.counter.join(self.node, self._token)
    self.counts = {name: counts.get(name, 0) for name in names}
    self.report()

  def add(self, name: str, count: int = 1) -> None:
    """Counts."""
    self.counts[name] += count

  def allowance(self, unit: str, most: int) -> int:
    """How many steps may be made now, at most `most`; claims more of the budget when it is time to."""
    count = self.counts[unit]
    if self.counter.prompt:
      if self._granted - count < most:
        self.report(counting.Claim(count + most, count + most))
    elif self._granted - count < most or self.clock() >= self._claimed[0] + self.period:
      self.report(self._claim(count, most))
    return max(0, min(self._granted - count, most))  # A run that is ended takes back what was granted.

  def _claim(self, count: int, most: int) -> counting.Claim:
    """A claim of what it makes in two periods at its speed, so that the next call comes after one."""
    now, (before, counted) = self.clock(), self._claimed
    rate = (count - counted) / max(now - before, 1e-6)
    # At first nothing is known of its speed, and then little.
    self._lease = max(most, min(int(2 * self.period * rate), max(4 * self._lease, most)))
    self._claimed = now, count
    # Near the end of the budget, what it needs is enough for a quarter of a period, or calls would come ever faster.
    return counting.Claim(count + max(most, self._lease // 8), count + self._lease)

  def report(self, claim: Optional[counting.Claim] = None, finished: bool = False) -> None:
    """Reports to the counter, and gets the newest totals."""
    self._reported = dict(self.counts)
    report = self.counter.report(self.node, self._reported, claim, self.notes, finished, self._token)
    self._granted, self._totals, self.phase = report
    self.notes = {}

  def refresh(self) -> None:
    """Gets the newest totals, and reports to the counter only what it does not know yet."""
    if self.counter.prompt and not self.notes and self.counts == self._reported:
      self._totals, self.phase = self.counter.news
    else:
      self.report()

  @contextlib.contextmanager
  def doing(self, what: str) -> Iterator[None]:
    """Around what takes long, so that a display can say what this node does."""
    self.counter.note(self.node, {'doing': what})
    try:
      yield
    finally:
      self.counter.note(self.node, {'doing': None})

  def claim_next(self, unit: str, most: int) -> None:
    """Reports what was counted and claims the next `most` steps, if that costs nothing; else both wait."""
    if self.counter.prompt:
      self.report(counting.Claim(self.counts[unit] + most, self.counts[unit] + most))

  def hold(self, seconds: float) -> None:
    """Reports that this node has paused all others for so long, which it has if they share its thread."""
    if self.counter.prompt:
      self.counter.held += seconds

  @property
  def held(self) -> float:
    """Seconds for which other nodes have paused this one, so that its rates leave them out."""
    return self.counter.held if self.counter.prompt else 0.0

  def total(self, name: str) -> int:
    """A count of all nodes: what the counter last said, and what this node has counted since."""
    return self._totals.get(name, 0) + self.counts.get(name, 0) - self._reported.get(name, 0)
