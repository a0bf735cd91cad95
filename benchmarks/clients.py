"""Simulated actors of one process: clients of a learner, or of relays, and of a counter."""

from __future__ import annotations

import dataclasses
import heapq
import os
import sys
import time
from typing import Any, Callable, Dict, List, Tuple

import courier
import numpy as np

from tfacme.graph import remote
from tfacme.workers import counting

_PAUSE_SECONDS = 0.002  # for which it sleeps when nothing is due and nothing has come
_STEPS_PER_SECOND = 20  # of an actor's environment


@dataclasses.dataclass(frozen=True)
class Clients:
  """What they do, and where to.

  Attributes:
    sources: addresses of the nodes that have variables; each actor asks one of them.
    counter: the address of the counter.
    numbers: of the first of them, and of the one after the last.
    pulls: requests for variables a second, of each.
    period: seconds between two reports of each, and between two of its rows for logs.
    seconds: for which they are measured.
    result: the file for what was measured.
  """

  sources: Tuple[str, ...]
  counter: str
  numbers: Tuple[int, int]
  pulls: float
  period: float
  seconds: float
  result: str

  def run(self) -> None:
    """Says that it is ready, is told a moment (seconds since 1970) from which to measure, and acts until the end."""
    actors = [_Actor(self, number) for number in range(*self.numbers)]
    print('ready', flush=True)
    measured = float(sys.stdin.readline())
    for actor in actors:
      actor.join()
    due = self._plan(actors)
    waiting: Dict[Tuple[int, str], Tuple[float, Any]] = {}
    took: Dict[str, List[float]] = {'pull': [], 'report': [], 'write': []}
    begun, spent = time.time(), time.process_time()
    while (now := time.time()) < measured + self.seconds:
      while due and due[0][0] <= now:
        when, index, what = heapq.heappop(due)
        waiting[index, what] = when, actors[index].begin(what)
      done = [key for key, (_, answer) in waiting.items() if answer.done()]
      for index, what in done:
        when, answer = waiting.pop((index, what))
        actors[index].take(what, answer.result())
        if (now := time.time()) >= measured:
          took[what].append(now - when)  # from when it was due, so that what comes late is not left out
        heapq.heappush(due, (max(now, when + actors[index].periods[what]), index, what))
      if not done:
        time.sleep(_PAUSE_SECONDS)
    answered = {f'answered_{what}': len(seconds) for what, seconds in took.items()}
    for (_, what), (when, _) in waiting.items():  # What has no answer yet takes at least so long.
      took[what].append(now - when)
    processors = (time.process_time() - spent) / (time.time() - begun)
    seconds = {what: np.array(each) for what, each in took.items()}
    np.savez(self.result, processors=processors, **answered, **seconds)
    os._exit(0)  # Requests that are on their way would be waited for.

  def _plan(self, actors: List[_Actor]) -> List[Tuple[float, int, str]]:
    """What is due first, and when: spread over a period."""
    random, now = np.random.default_rng(self.numbers[0]), time.time()
    due = [
      (now + random.uniform(0, seconds), index, what)
      for index, actor in enumerate(actors)
      for what, seconds in actor.periods.items()
    ]
    heapq.heapify(due)
    return due


class _Actor:
  """What one actor asks and tells, with a client of its own for each node."""

  def __init__(self, clients: Clients, number: int):
    never: Callable[[], bool] = lambda: False
    source = clients.sources[number % len(clients.sources)]
    self._source = remote.Remote(courier.Client(source), 'a source', never)
    self._counter = remote.Remote(courier.Client(clients.counter), 'the counter', never)
    self.periods = {'pull': 1 / clients.pulls, 'report': clients.period, 'write': clients.period}
    self._name = f'simulated-{number}'
    self._version, self._began, self._rows = -1, time.time(), 0

  def join(self) -> None:
    """Begins as an actor does; the run's status has it from then on."""
    self._counter.join(self._name)
    self._counter.note(self._name, {'doing': None, 'host': 'simulated', 'process': os.getpid()})

  def begin(self, what: str) -> Any:
    """Starts a call."""
    if what == 'pull':
      return self._source.begin('get', ['policy'], self._version)
    steps = int(_STEPS_PER_SECOND * (time.time() - self._began))
    if what == 'report':
      claim = counting.Claim(steps + 1, steps + int(2 * self.periods['report'] * _STEPS_PER_SECOND))
      counts = {'actor_steps': steps, 'actor_episodes': steps // 9, 'actor_rounds': steps}
      return self._counter.begin('report', self._name, counts, claim, {})
    self._rows += 1
    row = {'actor_steps': steps, 'episode_return': 1.0, 'episode_length': 9, 'steps_per_second': 20.0}
    return self._counter.begin('write', self._name, 'simulated', self._rows, [row])

  def take(self, what: str, result: Any) -> None:
    """Takes an answer."""
    if what == 'pull' and result is not None:
      self._version = result[0]
