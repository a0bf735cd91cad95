"""What many actors cost on one machine: DQN on catch, with 1 to 64 actors, with and without relays and replay servers.

    python -m benchmarks.scale --out benchmarks/results/scale

Each layout is run in processes of its own for some seconds. What is counted are rows that actors insert, variables that
they pull, calls to the counter and learning steps, each second, and how long the run takes to start and to stop. The
learner takes few samples of each row, so that actors are held by what they share and not by it. Past 16 processes,
actors have several slots each.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any, Callable, Dict, List, Tuple

import matplotlib

matplotlib.use('Agg')

import tyro
from matplotlib import pyplot

import tfacme
from tfacme import environments, launching
from tfacme.agents import dqn

_PROCESSES = 16  # actors at the most that have a process each
_NOTED_SECONDS = 0.2  # between two writes of what a node has counted
_COUNTED = {'learner': ('get',), 'relay': ('get',), 'counter': ('report',)}  # calls of the nodes of a role
_LAYOUTS = [
  *((actors, 0, 1) for actors in (1, 2, 4, 8, 16, 32, 64)),
  *((actors, 2, 1) for actors in (4, 16, 64)),
  *((16, 0, replays) for replays in (2, 4)),
  (64, 2, 2),
]


@dataclasses.dataclass(frozen=True)
class Options:
  """What is measured.

  Attributes:
    seconds: for which each layout is measured, once all of its actors act.
    out: the folder for scale.json and scale.png.
  """

  seconds: float = 10.0
  out: str = 'benchmarks/results/scale'


@dataclasses.dataclass(frozen=True)
class Calls:
  """Counts the calls that nodes answer; takes the place of a profile (`tfacme.debugging.profiling`) in a program.

  Attributes:
    folder: has a file for each node, with its number of calls.
  """

  folder: str

  def make(self, role: str, factory: Callable[..., Any], **links: Any) -> Any:
    """Makes the object of a node."""
    made = factory(**links)
    for method in _COUNTED.get(role, ()):
      self._count(made, role, method)
    return made

  def _count(self, made: Any, role: str, method: str) -> None:
    inner, numbers, path = getattr(made, method), itertools.count(), os.path.join(self.folder, f'{role}-{os.getpid()}')
    latest = [0]

    def counting(*arguments: Any) -> Any:
      latest[0] = next(numbers) + 1
      return inner(*arguments)

    def note() -> None:
      while True:
        with open(f'{path}.partial', 'w', encoding='utf-8') as file:
          file.write(str(latest[0]))
        os.replace(f'{path}.partial', path)
        time.sleep(_NOTED_SECONDS)

    setattr(made, method, counting)
    threading.Thread(target=note, daemon=True).start()

  def total(self, role: str) -> int:
    """Calls that all nodes of a role have answered."""
    count = 0
    for name in os.listdir(self.folder):
      if name.startswith(f'{role}-') and not name.endswith('.partial'):
        with open(os.path.join(self.folder, name), encoding='utf-8') as file:
          count += int(file.read())
    return count


class Watch:
  """Sees the status of a run, counts between two moments, and stops it then."""

  def __init__(self, calls: Calls, actors: int, seconds: float):
    self._calls, self._actors, self._seconds = calls, actors, seconds
    self._begun = time.monotonic()
    self._first: Tuple[float, Dict[str, float]] = (0.0, {})
    self.stopped = 0.0
    self.found: Dict[str, float] = {}

  def __call__(self, status: Dict[str, Any]) -> None:
    now = time.monotonic()
    acting = sum('actor_steps' in node['counts'] and node['counts']['actor_steps'] > 0 for node in _actors(status))
    if self.stopped or acting < self._actors or not status['totals'].get('learner_steps'):
      return
    counts = {
      'inserts': float(status['totals']['actor_steps']),
      'learner_steps': float(status['totals']['learner_steps']),
      **{f'calls_of_the_{role}': float(self._calls.total(role)) for role in _COUNTED},
    }
    since, before = self._first
    if not before:
      self._first = now, counts
      self.found['seconds_to_start'] = now - self._begun
    elif now - since > self._seconds:
      self.found.update({f'{name}_per_second': (counts[name] - before[name]) / (now - since) for name in counts})
      self.stopped = time.monotonic()
      os.kill(os.getpid(), signal.SIGINT)


def _actors(status: Dict[str, Any]) -> List[Dict[str, Any]]:
  return [node for name, node in status['nodes'].items() if name.startswith('actor')]


def experiment(actors: int, relays: int, replays: int) -> tfacme.Experiment:
  """DQN on catch with so many environments in all; the learner takes one batch of 64 in 128 rows."""
  processes = min(actors, _PROCESSES)
  config = dqn.DQNConfig(samples_per_insert=0.5, samples_per_insert_tolerance=10.0, min_replay_size=1000, batch_size=64)
  return tfacme.Experiment(
    builder=dqn.DQNBuilder(config),
    networks=dqn.mlp_networks(hidden_sizes=(64, 64)),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=10**9),
    layout=tfacme.Layout(processes, actors // processes, evaluators=0, relays=relays, replays=replays),
  )


def measure(actors: int, relays: int, replays: int, seconds: float) -> Dict[str, float]:
  """Runs a layout in this process and those that it starts."""
  made = experiment(actors, relays, replays)
  with tempfile.TemporaryDirectory() as folder:
    calls = Calls(folder)
    watch = Watch(calls, made.layout.actors, seconds)
    try:
      launching.launch(tfacme.make_program(made, profile=calls), 'local_mp', watch)  # type: ignore[arg-type]
    except launching.Interrupted:
      watch.found['seconds_to_stop'] = time.monotonic() - watch.stopped
  return {name: round(value, 2) for name, value in watch.found.items()}


def report(out: str, results: List[Dict[str, Any]]) -> None:
  """Writes the numbers, and draws them against the number of actors."""
  os.makedirs(out, exist_ok=True)
  with open(os.path.join(out, 'scale.json'), 'w', encoding='utf-8') as file:
    json.dump(results, file, indent=2)
    file.write('\n')
  names = ('inserts', 'learner_steps', 'calls_of_the_learner', 'calls_of_the_relay', 'calls_of_the_counter')
  figure, axes = pyplot.subplots(1, len(names) + 2, figsize=(3.2 * (len(names) + 2), 3.2), layout='constrained')
  columns = [*(f'{name}_per_second' for name in names), 'seconds_to_start', 'seconds_to_stop']
  for axis, column in zip(axes, columns):
    for relays, replays in sorted({(row['relays'], row['replays']) for row in results}):
      rows = [row for row in results if (row['relays'], row['replays']) == (relays, replays)]
      label = f'{relays} relays, {replays} replay servers'
      axis.plot([row['actors'] for row in rows], [row[column] for row in rows], 'o-', label=label)
    axis.set(xscale='log', xlabel='actors', title=column.replace('_', ' '), ylim=(0, None))
  axes[0].legend(fontsize='x-small')
  figure.savefig(os.path.join(out, 'scale.png'), dpi=100)


def main(options: Options) -> None:
  """Measures all layouts, each in a process of its own."""
  results = []
  for layout in _LAYOUTS:
    call = f'import json; from benchmarks import scale; print(json.dumps(scale.measure(*{layout}, {options.seconds})))'
    ended = subprocess.run([sys.executable, '-c', call], check=True, stdout=subprocess.PIPE, text=True)
    results.append(dict(zip(('actors', 'relays', 'replays'), layout), **json.loads(ended.stdout.splitlines()[-1])))
    print(results[-1], flush=True)
  report(options.out, results)


if __name__ == '__main__':
  main(tyro.cli(Options))
