"""Relays hand the learner's variables on to actors, so that the learner answers a few nodes and not all of them.

An actor asks as often as it may, and is mostly told that there is nothing newer; what there is, is packed once in the
learner for each version, and once more in each relay.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Dict, Optional, Sequence, Tuple

from tfacme import core
from tfacme.graph import remote
from tfacme.workers import counting, variables

PATIENCE = 20.0  # seconds after which an actor asks the learner, since its relay has not answered
_AWAY_SECONDS = 30.0  # between two looks at whether the relay answers again


class Relay:
  """A `core.VariableSource` that has the variables of another one, and asks for newer ones when it is asked itself.

  Its answers are older than the learner's by one request at the most. Where the learner is in the same thread, nobody
  asks a relay; see `Relayed`.
  """

  def __init__(self, source: Any):
    self._source = source
    self._lock = threading.Lock()
    self._held: Dict[Tuple[str, ...], variables.Answer] = {}
    self._pending: Dict[Tuple[str, ...], Any] = {}  # requests that are on their way

  @classmethod
  def of(cls, name: str, counter: counting.CounterClient, learner: Any) -> Relay:
    """The object of a relay's node; the counter knows of it, and how often it was made anew."""
    counter.join(name)
    return cls(learner)

  def get(self, names: Sequence[str], newer_than: int) -> Optional[variables.Answer]:
    """See `core.VariableSource`."""
    key = tuple(names)
    with self._lock:
      held = self._held.get(key)
      if held is None:  # Nobody can act without: those who ask meanwhile wait, too.
        held = self._held[key] = variables.Answer(*self._source.get(list(key), -1))
      pending = self._pending.pop(key, None)
      if pending is not None and pending.done():
        answer, pending = pending.result(), None
        if answer is not None:
          held = self._held[key] = variables.Answer(*answer)
      self._pending[key] = pending or self._source.begin('get', list(key), held[0])
    return held if held[0] > newer_than else None


class Relayed:
  """The learner's variables through a relay; from the learner itself while the relay does not answer."""

  def __init__(self, relay: Any, learner: Any, clock: Callable[[], float] = time.monotonic):
    self._relay = relay
    self._learner = learner
    self._clock = clock
    self._away = False  # whether the relay has not answered
    self._probe: Any = None  # a request that tells whether it answers again
    self._next_probe = 0.0

  @classmethod
  def of(cls, relay: Any, learner: Any) -> core.VariableSource:
    """What an actor asks: the learner, where it is in the same thread, which there is nothing to be spared in."""
    return cls(relay, learner) if hasattr(learner, 'begin') else learner

  def get(self, names: Sequence[str], newer_than: int) -> Any:
    """See `core.VariableSource`."""
    return self.begin('get', names, newer_than).result()

  def begin(self, method: str, *arguments: Any) -> Any:
    """Starts a call; see `remote.Remote`."""
    if self._away and not self._is_back(method, arguments):
      return self._learner.begin(method, *arguments)
    return _Asked(self, self._relay.begin(method, *arguments), method, arguments)

  def again(self, method: str, arguments: Sequence[Any]) -> Any:
    """Asks the learner what the relay has not answered, and does so from now on."""
    self._away = True
    self._next_probe = self._clock() + _AWAY_SECONDS
    return getattr(self._learner, method)(*arguments)

  def _is_back(self, method: str, arguments: Sequence[Any]) -> bool:
    """Whether the relay answers again, which it is asked now and then beside the learner."""
    if self._probe is None and self._clock() >= self._next_probe:
      self._probe = self._relay.begin(method, *arguments)
    if self._probe is None or not self._probe.done():
      return False
    probe, self._probe = self._probe, None
    try:
      probe.result()
    except remote.RemoteError:
      self._next_probe = self._clock() + _AWAY_SECONDS
      return False
    self._away = False
    return True


class _Asked:
  """A call to a relay that is on its way; see `remote.Remote.begin`."""

  def __init__(self, source: Relayed, answer: Any, method: str, arguments: Sequence[Any]):
    self.done = answer.done
    self._source = source
    self._answer = answer
    self._call = method, arguments

  def result(self) -> Any:
    """The answer; waits for it."""
    try:
      return self._answer.result()
    except remote.RemoteError:
      return self._source.again(*self._call)
