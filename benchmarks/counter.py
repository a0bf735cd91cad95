"""Calls to the counter a second: simulated actors, on a simulated clock, share a budget through a real `Counter`.

    python benchmarks/counter.py --out benchmarks/results/counter.json

Each actor's speed is drawn from a log-normal distribution, and each of its steps takes an exponential time. Leases of
a number of rounds (32, or a twentieth of an actor's part of the budget, if that is less), as they were once, are held
against leases of a time.
"""

from __future__ import annotations

import collections
import dataclasses
import heapq
import itertools
import json
from typing import Any, Callable, Dict, Optional

import numpy as np
import tyro

from tfacme import experiments
from tfacme.graph import building
from tfacme.workers import counting, tallies

_UNIT = 'actor_steps'
_ROUNDS = 32


@dataclasses.dataclass(frozen=True)
class Options:
  """What is simulated.

  Attributes:
    actors: how many.
    seconds: for which the budget suffices, a run of each.
    speeds: steps a second of all actors together, a run of each.
    seed: of the actors' speeds.
    out: a file for the numbers, as JSON.
  """

  actors: int = 1000
  seconds: tuple[float, ...] = (4.0, 30.0)
  speeds: tuple[float, ...] = (5_000.0, 50_000.0)
  seed: int = 0
  out: Optional[str] = None


class _Called:
  """A counter in another process, as far as its clients know, that notes when it is called."""

  prompt = False

  def __init__(self, counter: counting.Counter, clock: Callable[[], float]):
    self._counter, self._clock = counter, clock
    self.calls: Dict[int, int] = collections.Counter()  # in each second
    self.join = counter.join

  def report(self, *arguments: Any) -> counting.Report:
    self.calls[int(self._clock())] += 1
    return self._counter.report(*arguments)


class _Rounds(tallies.Tally):
  """Claims a number of steps whenever it has used up the last ones."""

  lease = 1

  def allowance(self, unit: str, most: int) -> int:
    count = self.counts[unit]
    if self._granted - count < most:
      self.report(counting.Claim(count + max(self.lease, most), count + max(self.lease, most)))
    return min(self._granted - count, most)


def simulate(options: Options, speed: float, seconds: float, in_time: bool) -> Dict[str, float]:
  """Spends a budget; what that cost the counter, and how long the first actor that was done waited for the last one."""
  random = np.random.default_rng(options.seed)
  budget = int(speed * seconds)
  now = 0.0
  counter = counting.Counter(budget, _UNIT, [[]])
  called: Any = _Called(counter, lambda: now)
  speeds = random.lognormal(size=options.actors)
  speeds *= speed / speeds.sum()
  # Budgets and layouts of real runs say how long the lease is; the experiment's other parts play no role.
  layout = experiments.Layout(actors=options.actors)
  kind = tallies.Tally if in_time else _Rounds
  sides = [kind(f'actor-{i}', called, building.period(layout), lambda: now) for i in range(options.actors)]
  for tally in sides:
    tally.lease = min(_ROUNDS, budget // (20 * options.actors))  # type: ignore[union-attr]
    tally.join([_UNIT])
  called.calls.clear()
  queue = [(0.0, i) for i in range(options.actors)]
  done = []
  while queue:
    now, i = heapq.heappop(queue)
    if sides[i].allowance(_UNIT, 1):
      sides[i].add(_UNIT)
      heapq.heappush(queue, (now + random.exponential(1 / speeds[i]), i))
    else:
      sides[i].report(finished=True)
      done.append(now)
  assert counter.status()['steps'] == budget
  calls = [called.calls[second] for second in range(int(now) + 1)]
  return {
    'calls_per_second': sum(calls) / now,
    'calls_in_the_busiest_second': max(calls),
    'seconds': now,
    'seconds_from_first_to_last_done': done[-1] - done[0],
  }


def main(options: Options) -> None:
  """Simulates all speeds, by rounds and in time."""
  results = {}
  for seconds, speed, (lease, in_time) in itertools.product(
    options.seconds, options.speeds, (('rounds', False), ('time', True))
  ):
    name = f'{options.actors} actors, {speed:g} steps/s, a budget for {seconds:g} s, leases by {lease}'
    results[name] = simulate(options, speed, seconds, in_time)
    print(f'{name}:\n  ' + ', '.join(f'{key} {value:.1f}' for key, value in results[name].items()), flush=True)
  if options.out:
    with open(options.out, 'w', encoding='utf-8') as file:
      json.dump(results, file, indent=2)


if __name__ == '__main__':
  main(tyro.cli(Options, description=__doc__))
