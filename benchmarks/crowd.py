"""A crowd of simulated actors against one real learner and counter, with and without relays: where it bends.

    python -m benchmarks.crowd --out benchmarks/results/crowd

The run is DQN with a learner that never waits. Its real actors hardly act; the simulated ones do all that actors do
to learner and counter: each asks for newer variables so many times a second, one request at a time, and reports to the
counter as often as an actor of so large a run does. They are clients without networks and environments, a few hundred
in a process. What comes of it: requests answered each second, how long they take, the learner's speed, and the
processor time of learner and relays, from which follows what a host could serve that the crowd takes none of.
"""

from __future__ import annotations

import dataclasses
import heapq
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple

import dm_env
import numpy as np
import tyro
from bsuite.environments import catch

_PERIOD = 0.5  # seconds between an actor's reports; see `building.period`
_CALLS_PER_SECOND = 1000
_IN_A_PROCESS = 250  # simulated actors
_LATE = 0.002  # seconds that a simulated actor sleeps when nothing is due


@dataclasses.dataclass(frozen=True)
class Options:
  """What is simulated.

  Attributes:
    actors: how many, a run of each.
    relays: a run of each.
    pulls: requests for variables a second, of each actor.
    width: of the two layers of the network.
    seconds: for which each is measured.
    out: the folder for crowd.json.
  """

  actors: tuple[int, ...] = (10, 30, 100, 300, 1000)
  relays: tuple[int, ...] = (0, 2)
  pulls: float = 5.0
  width: int = 64
  seconds: float = 10.0
  out: str = 'benchmarks/results/crowd'


class Slow(catch.Catch):
  """Catch that takes a tenth of a second for a step, so that real actors take no time from others."""

  def step(self, action: int) -> dm_env.TimeStep:
    """One step."""
    time.sleep(0.1)
    return super().step(action)


def slow(seed: int) -> Slow:
  """Makes the environment."""
  return Slow(seed=seed)


def act(sources: Sequence[str], counter: str, first: int, count: int, pulls: float, seconds: float, of: int) -> None:
  """Simulates some actors in this process, and prints how many requests were answered, and how long these took.

  Args:
    sources: addresses of the nodes that answer requests for variables; each actor asks one of them.
    counter: its address.
    first: the number of the first actor.
    count: of the actors.
    pulls: requests a second, of each.
    seconds: for which it does so, after as long again a tenth.
    of: actors in all.
  """
  import courier

  from tfacme.graph import remote

  learners = [remote.Remote(courier.Client(address), 'source', lambda: False) for address in sources]
  reports = remote.Remote(courier.Client(counter), 'counter', lambda: False)
  random = np.random.default_rng(first)
  period = max(_PERIOD, of / _CALLS_PER_SECOND)
  begun = time.monotonic()
  queue: List[Tuple[float, int, str]] = []  # what is due when
  for number in range(first, first + count):
    queue += [
      (begun + random.uniform(0, 1 / pulls), number, 'get'),
      (begun + random.uniform(0, period), number, 'report'),
    ]
  heapq.heapify(queue)
  versions = dict.fromkeys(range(first, first + count), -1)
  waiting: Dict[Tuple[int, str], Tuple[float, Any]] = {}
  took: Dict[str, List[float]] = {'get': [], 'report': []}
  newer, measured_from = 0, begun + 0.2 * seconds
  while (now := time.monotonic()) < measured_from + seconds:
    while queue and queue[0][0] <= now:
      _, number, what = heapq.heappop(queue)
      if what == 'get':
        answer = learners[number % len(learners)].begin('get', ['policy'], versions[number])
      else:
        answer = reports.begin('report', f'simulated-{number}', {'rounds': int(now)})
      waiting[number, what] = now, answer
    done = [key for key, (_, answer) in waiting.items() if answer.done()]
    for number, what in done:
      since, answer = waiting.pop((number, what))
      result = answer.result()
      now = time.monotonic()
      if now > measured_from:
        took[what].append(now - since)
      if what == 'get' and result is not None:
        versions[number] = result[0]
        newer += now > measured_from
      heapq.heappush(queue, (max(now, since + (1 / pulls if what == 'get' else period)), number, what))
    if not done:
      time.sleep(_LATE)
  print(json.dumps({'took': took, 'newer': newer}), flush=True)
  os._exit(0)  # Requests that are on their way would be waited for.


class Crowd:
  """Sees the status of the run; once its learner learns, sends the crowd, and stops the run afterwards."""

  def __init__(self, program: Any, actors: int, options: Options):
    from tfacme.graph import nodes

    self._nodes = {
      node.name: node for node in nodes.of_program(program) if node.role in ('learner', 'relay', 'counter')
    }
    self._actors, self._options = actors, options
    self._processes: List[subprocess.Popen] = []
    self._before: Optional[Tuple[float, float, Dict[str, float]]] = None
    self.found: Dict[str, Any] = {}

  def __call__(self, status: Dict[str, Any]) -> None:
    if self.found or not status['totals'].get('learner_steps'):
      return
    if not self._processes:
      self._send()
      self._sent = time.monotonic()
    now, steps = time.monotonic(), float(status['totals']['learner_steps'])
    pids = {
      name: status['notes'][name]['process'] for name in self._nodes if 'process' in status['notes'].get(name, {})
    }
    if self._before is None and now > self._sent + 0.2 * self._options.seconds:
      self._before = now, steps, _spent(pids)
    elif self._before is not None and all(process.poll() is not None for process in self._processes):
      self._end(now, steps, _spent(pids))

  def _address(self, name: str) -> str:
    return self._nodes[name].addresses[0].resolve()

  def _send(self) -> None:
    relays = sorted(name for name in self._nodes if name.startswith('relay'))
    sources = [self._address(name) for name in relays or ['learner']]
    for first in range(0, self._actors, _IN_A_PROCESS):
      count = min(_IN_A_PROCESS, self._actors - first)
      arguments = (sources, self._address('counter'), first, count, self._options.pulls, self._options.seconds)
      call = f'from benchmarks import crowd; crowd.act(*{(*arguments, self._actors)!r})'
      self._processes.append(subprocess.Popen([sys.executable, '-c', call], stdout=subprocess.PIPE, text=True))

  def _end(self, now: float, steps: float, spent: Dict[str, float]) -> None:
    assert self._before is not None
    since, steps_before, spent_before = self._before
    answers = [json.loads(process.communicate()[0].splitlines()[-1]) for process in self._processes]
    took = {what: np.concatenate([answer['took'][what] for answer in answers]) for what in ('get', 'report')}
    seconds = self._options.seconds
    self.found = {
      'pulls_per_second': len(took['get']) / seconds,
      'pulls_wanted_per_second': self._actors * self._options.pulls,
      'newer_per_second': sum(answer['newer'] for answer in answers) / seconds,
      'reports_per_second': len(took['report']) / seconds,
      'milliseconds_of_a_pull': [1e3 * float(np.quantile(took['get'], q)) for q in (0.5, 0.99)],
      'milliseconds_of_a_report': [1e3 * float(np.quantile(took['report'], q)) for q in (0.5, 0.99)],
      'learner_steps_per_second': (steps - steps_before) / (now - since),
      'processors_of_nodes': {name: (spent[name] - spent_before[name]) / (now - since) for name in spent},
    }
    os.kill(os.getpid(), signal.SIGINT)


def _spent(pids: Dict[str, int]) -> Dict[str, float]:
  """Processor time of processes, in seconds."""
  spent = {}
  for name, pid in pids.items():
    with open(f'/proc/{pid}/stat', encoding='utf-8') as file:
      fields = file.read().rpartition(')')[2].split()
    spent[name] = (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
  return spent


def measure(actors: int, relays: int, options: Options) -> Dict[str, Any]:
  """One crowd."""
  import tfacme
  from tfacme import launching
  from tfacme.agents import dqn
  from tfacme.replay import tables

  class Builder(dqn.DQNBuilder):
    """DQN whose learner waits for nothing once there are some items."""

    def tables(self, spec: Any) -> Any:
      """Its table, without a ratio."""
      return [dataclasses.replace(table, limiter=tables.min_size(20)) for table in super().tables(spec)]

  experiment = tfacme.Experiment(
    builder=Builder(dqn.DQNConfig(batch_size=64, min_replay_size=64)),
    networks=dqn.mlp_networks(hidden_sizes=(options.width, options.width)),
    environment=slow,
    budget=tfacme.Budget(actor_steps=10**9),
    layout=tfacme.Layout(actors=max(1, relays), evaluators=0, relays=relays),
  )
  program = tfacme.make_program(experiment)
  crowd = Crowd(program, actors, options)
  try:
    launching.launch(program, 'local_mp', crowd)
  except launching.Interrupted:
    pass
  return crowd.found


def main(options: Options) -> None:
  """Sends all crowds, each to a run of its own."""
  results = []
  for relays in options.relays:
    for actors in options.actors:
      arguments = f'{actors}, {relays}, crowd.Options(**{dataclasses.asdict(options)!r})'
      call = f'import json; from benchmarks import crowd; print(json.dumps(crowd.measure({arguments})))'
      ended = subprocess.run([sys.executable, '-c', call], check=True, stdout=subprocess.PIPE, text=True)
      results.append({'actors': actors, 'relays': relays, **json.loads(ended.stdout.splitlines()[-1])})
      print(results[-1], flush=True)
  os.makedirs(options.out, exist_ok=True)
  with open(os.path.join(options.out, 'crowd.json'), 'w', encoding='utf-8') as file:
    json.dump(results, file, indent=2)
    file.write('\n')


if __name__ == '__main__':
  main(tyro.cli(Options))
