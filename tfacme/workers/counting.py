"""The counter: the one place that knows how far a run has come, who may spend its budget, and which phase it is in."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Protocol, Sequence, Tuple

from tfacme import checkpoints, loggers

_STATE = 'counter.json'  # in the folder of what is saved
OWN = '_'  # Counts whose names begin so are what a node keeps for itself: they add up to nothing.


class Report(NamedTuple):
  """What the counter answers.

  Attributes:
    granted: how many steps of the budget this node has been given in all, since the run began.
    totals: counts of all nodes together, by name.
    phase: the number in `PHASES` of the one that the run is in; the length of it when all is done.
  """

  granted: int
  totals: Dict[str, int]
  phase: int


class Claim(NamedTuple):
  """How much of the budget a node asks for, in counts since the run began: a claim that comes twice counts once.

  Attributes:
    needed: what it has to have been granted to continue; it gets that as long as there is some.
    wanted: what it would take, for fewer calls; it gets less of it near the end of the budget, so that all nodes finish
      at about the same time.
  """

  needed: int
  wanted: int


class Outdated(Exception):
  """A node was made anew while the one before it still acts."""


class CounterClient(Protocol):
  """What nodes ask of the counter; every call may come twice and then counts once.

  Attributes:
    prompt: whether a call costs next to nothing, since the counter is in the same thread; nodes tell it of every step.
    held: of a prompt one, seconds for which an evaluation has paused all other nodes.
    news: of a prompt one, the newest totals and the phase, as in `Report`.
  """

  prompt: bool
  held: float

  @property
  def news(self) -> Tuple[Dict[str, int], int]: ...

  def join(self, node: str, token: Optional[str] = None) -> Dict[str, int]:
    """Begins again after a restart: gives back what the node had claimed and not used.

    Args:
      node: its name.
      token: tells it from one of that name which was made before, and of which no report counts from now on: on a host
        that was called lost it may still act.

    Returns:
      Its counts.
    """
    ...

  def lives(self, node: str) -> int:
    """How often the node has begun since the program was started."""

  def leave(self, node: str) -> None:
    """A node is lost: gives back what it had claimed and not used. Nobody waits for an actor without anything left."""
    ...

  def report(
    self,
    node: str,
    counts: Mapping[str, int],
    claim: Optional[Claim] = None,
    notes: Optional[Mapping[str, Any]] = None,
    finished: bool = False,
    token: Optional[str] = None,
  ) -> Report:
    """Reports the progress of a node.

    Args:
      node: its name.
      counts: its own counts since the run began (absolute, so that a call that is repeated counts once).
      claim: how many steps of the budget it would like to have been given in all; also absolute.
      notes: anything that a display may show.
      finished: whether it has done all of its part.
      token: that it has joined with; None is not looked at.

    Raises:
      Outdated: another one of its name has joined since.
    """
    ...

  def note(self, node: str, notes: Mapping[str, Any]) -> None:
    """Notes what a display may show of a node at once; it changes nothing of the run."""
    ...

  def write(self, node: str, token: str, first: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes rows of a node's log, for one that does not have the run's folder.

    Args:
      node: its name.
      token: tells the log from others of that node, which was made anew since.
      first: the number of the first row, so that a call that is repeated writes nothing twice.
      rows: of the log.
    """
    ...

  def end(self, reason: str) -> None:
    """Ends the run before its budget is spent, as if it were."""
    ...


class Counter:
  """Keeps the counts of all nodes; see `CounterClient`. Safe to call from several threads."""

  prompt = True

  def __init__(
    self,
    budget: int,
    unit: str,
    phases: Sequence[Sequence[str]],
    open_log: Callable[[str], loggers.Logger] = lambda node: loggers.MemoryLogger(),
  ):
    """Initializes the counter.

    Args:
      budget: steps that the nodes may claim in all.
      unit: which count the budget is of, 'actor_steps' or 'learner_steps'.
      phases: the names of the nodes that each of `PHASES` waits for.
      open_log: opens the log of a node that can't write it itself.
    """
    self._open_log = open_log
    self._logs: Dict[str, loggers.Logger] = {}  # of those nodes
    self._written: Dict[str, Tuple[str, int]] = {}  # of each of them: the token, and the number of the next row
    self._outdated: set[str] = set()  # tokens of logs that others have followed
    self._tokens: Dict[str, Optional[str]] = {}  # of the nodes that have joined
    self.held = 0.0
    self.told: Optional[Callable[[], None]] = None  # is called when something was noted
    self._budget = budget
    self._unit = unit
    self._phases = [frozenset(names) for names in phases]
    self._order = [name for names in phases for name in names]
    self._counts: Dict[str, Dict[str, int]] = {}
    self._granted: Dict[str, int] = {}
    self._left = budget  # not granted yet
    self._ended: Optional[str] = None  # why it ends before its budget is spent
    self._claiming: set[str] = set()
    self._finished: set[str] = set()
    self._lost: set[str] = set()  # that are to begin again
    self._notes: Dict[str, Dict[str, Any]] = {}
    self._blocked_since: Dict[str, float] = {}
    self._heard: Dict[str, float] = {}  # when each node called last
    self._lives: Dict[str, int] = {}
    self._totals: Dict[str, int] = {}  # of all nodes; a new dict at each change, since reports have given it away
    self._phase = self._find_phase()
    self._lock = threading.Lock()
    self._writing = threading.Lock()  # Nobody who counts waits for a disk.

  def join(self, node: str, token: Optional[str] = None) -> Dict[str, int]:
    """See `CounterClient.join`."""
    with self._lock:
      self._tokens[node] = token
      self._lives[node] = self._lives.get(node, 0) + 1
      self._lost.discard(node)
      self._finished.discard(node)
      self._take_back(node)
      return dict(self._counts[node])

  def leave(self, node: str) -> None:
    """See `CounterClient.leave`."""
    with self._lock:
      self._lost.add(node)
      self._claiming.discard(node)
      self._take_back(node)

  def _take_back(self, node: str) -> None:
    """Takes back what a node had been granted and has not used, and what it had noted last."""
    counts = self._counts.setdefault(node, {})
    self._left += self._granted.get(node, 0) - counts.get(self._unit, 0)
    self._granted[node] = counts.get(self._unit, 0)
    if outdated := {key: None for key in ('blocked', 'hangs_in') if key in self._notes.get(node, {})}:
      self._note(node, outdated)
    self._phase = self._find_phase()

  def lives(self, node: str) -> int:
    """See `CounterClient.lives`."""
    return self._lives.get(node, 0)

  def report(
    self,
    node: str,
    counts: Mapping[str, int],
    claim: Optional[Claim] = None,
    notes: Optional[Mapping[str, Any]] = None,
    finished: bool = False,
    token: Optional[str] = None,
  ) -> Report:
    """See `CounterClient.report`."""
    with self._lock:
      if token is not None and token != self._tokens.get(node, token):
        raise Outdated(f'{node} was made anew, and this is not the new one.')
      self._heard[node] = time.monotonic()
      mine = self._counts.setdefault(node, {})
      if counts != mine:  # Most reports tell nothing new, and in a run in one thread they come at every step.
        totals = dict(self._totals)
        for name, count in counts.items():
          if (before := mine.get(name)) != count:
            totals[name] = totals.get(name, 0) + count - (before or 0)
        mine.update(counts)
        self._totals = totals
      if claim is not None:
        self._grant(node, *claim)
      if notes:
        self._note(node, notes)
      if finished:
        self._finished.add(node)
        self._claiming.discard(node)
        self._phase = self._find_phase()
      return Report(self._granted.get(node, 0), self._totals, self._phase)

  def note(self, node: str, notes: Mapping[str, Any]) -> None:
    """See `CounterClient.note`."""
    with self._lock:
      self._note(node, notes)
    if self.told is not None:
      self.told()

  def write(self, node: str, token: str, first: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """See `CounterClient.write`."""
    with self._writing:
      last, following = self._written.get(node, (token, 0))
      if token in self._outdated:
        return
      if last != token:
        self._outdated.add(last)
      begin = following if last == token else 0
      if node not in self._logs:
        self._logs[node] = self._open_log(node)
      for row in rows[max(0, begin - first) :]:
        self._logs[node].write(row)
      self._written[node] = token, max(begin, first + len(rows))

  def close(self) -> None:
    """Closes the logs that it has written."""
    with self._writing:
      for log in self._logs.values():
        log.close()

  def end(self, reason: str) -> None:
    """See `CounterClient.end`. Who holds a lease makes what steps it has begun, and learns of it when it reports."""
    with self._lock:
      self._ended = self._ended or reason
      self._left = 0
      self._granted = {node: self._counts.get(node, {}).get(self._unit, 0) for node in self._granted}

  def ended(self) -> Optional[str]:
    """Why the run ends before its budget is spent; None if it does not."""
    return self._ended

  @property
  def news(self) -> Tuple[Dict[str, int], int]:
    """See `CounterClient`."""
    phase = self._phase  # First: no phase may be told with totals that are older than it.
    return self._totals, phase

  def status(self) -> Dict[str, Any]:
    """All that a display shows, as plain values."""
    now = time.monotonic()
    with self._lock:
      names = dict.fromkeys((*self._order, *self._notes))
      for node, since in self._blocked_since.items():
        self._notes[node]['blocked_seconds'] = now - since
      return {
        'unit': self._unit,
        'steps': self._totals.get(self._unit, 0),
        'budget': self._budget,
        'totals': {name: count for name, count in self._totals.items() if not name.startswith(OWN)},
        'phase': self._phase,
        'held_seconds': self.held,
        'ended': self._ended,
        'notes': {node: dict(self._notes[node]) for node in names if node in self._notes},
        'nodes': {node: self._of(node, now) for node in names if node in self._heard or node in self._lives},
      }

  def _of(self, node: str, now: float) -> Dict[str, Any]:
    """How a node stands, as plain values."""
    return {
      'counts': {name: count for name, count in self._counts.get(node, {}).items() if not name.startswith(OWN)},
      'restarts': max(0, self._lives.get(node, 0) - 1),
      'lost': node in self._lost,
      'finished': node in self._finished,
      'silent_seconds': now - self._heard.get(node, now),  # One that serves alone has nothing to report.
    }

  def save(self, path: str) -> str:
    """Writes the counts, and why the run ends, into the folder `path` and returns their digest."""
    with self._lock:
      counts = {node: dict(own) for node, own in self._counts.items()}
      state = {'counts': counts, 'budget': self._budget, 'ended': self._ended}
    with open(os.path.join(path, _STATE), 'w', encoding='utf-8') as file:
      json.dump(state, file, indent=2)
    return checkpoints.digest(state)

  def restore(self, path: str) -> str:
    """Restores the counts from the folder `path` and returns their digest.

    A run that was ended before its budget was spent stays so, unless its budget is larger than it was then.
    """
    saved = _read(path)
    self._counts = saved['counts']
    self._ended = ended_within(path, self._budget)
    self._granted = {node: own.get(self._unit, 0) for node, own in self._counts.items()}
    self._left = 0 if self._ended is not None else self._budget - sum(self._granted.values())
    self._totals = {}
    for own in self._counts.values():
      for name, count in own.items():
        self._totals[name] = self._totals.get(name, 0) + count
    return checkpoints.digest(saved)

  def _grant(self, node: str, needed: int, wanted: int) -> None:
    if self._phase < ACTING or self._ended is not None:
      return
    self._claiming.add(node)
    mine = self._granted.get(node, 0)
    if wanted > needed:
      share = self._left // (2 * len(self._claiming))  # If all take that much, as much stays for later.
      wanted = min(wanted, max(needed, mine + share))
    more = min(wanted - mine, self._left)
    if more > 0:  # Nothing is left, or less, where a run resumes with a smaller budget than it has spent.
      self._granted[node] = mine + more
      self._left -= more

  def _note(self, node: str, notes: Mapping[str, Any]) -> None:
    mine = self._notes.setdefault(node, {})
    if 'blocked' in notes and notes['blocked'] != mine.get('blocked'):
      self._blocked_since[node] = time.monotonic()
    mine.update(notes)

  def _find_phase(self) -> int:
    for number, names in enumerate(self._phases):
      # A lost actor may not come back where there is no room for it: then others make what it had left.
      done = self._finished | self._lost if number == ACTING and self._left <= 0 else self._finished
      if not names <= done:
        return number
    return len(self._phases)


def has_begun(status: Mapping[str, Any]) -> bool:
  """Whether all prefills were written, by a counter's status."""
  return status['phase'] >= ACTING


def saved_total(path: str, name: str) -> int:
  """A count of all nodes, as a counter saved it in the folder `path`."""
  return sum(counts.get(name, 0) for counts in saved_counts(path).values())


def saved_counts(path: str) -> Dict[str, Dict[str, int]]:
  """{node: {name: count}}, as a counter saved it in the folder `path`."""
  return _read(path)['counts']


def ended_within(path: str, budget: int) -> Optional[str]:
  """Why a run of a budget ends before that is spent, by the counter saved in the folder `path`.

  None if it does not: it was not ended, or by a smaller budget than this one.
  """
  saved = _read(path)
  return saved['ended'] if budget <= saved['budget'] else None


def _read(path: str) -> Dict[str, Any]:
  with open(os.path.join(path, _STATE), encoding='utf-8') as file:
    return json.load(file)


# Prefills write, and nobody spends the budget; the actors spend it; the learner drains; the last evaluation runs; the
# saver exports and saves.
PHASES: List[str] = ['prefill', 'actor', 'learner', 'evaluator', 'saver']
ACTING = PHASES.index('actor')
