"""What many actors cost on one machine: DQN on catch with 1 to 64 environments, relays and replay servers.

    python -m benchmarks.scale --out benchmarks/results/scale

Each layout is run in processes (`local_mp`) for some seconds. What is counted each second are environment steps, of
which each is one item of the replay, learner steps, and the requests for variables and the reports that learner, relays
and counter answer; and how long the run takes until all actors act, and to stop after Ctrl-C (without a folder, and so
without a checkpoint). The learner takes half a sample of each item, so that actors seldom wait for it. Past 16
processes, actors have several environments each.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import signal
import tempfile
import time
from typing import Any, Dict, List, Optional, Tuple

import tyro

import tfacme
from benchmarks import calls, processes
from tfacme import environments, launching
from tfacme.agents import dqn

_PROCESSES = 16  # actors at the most that have a process each
_WARM_SECONDS = 5.0  # that a run has before anything is counted
_LAYOUTS = [  # environments, relays, replay servers
  *((count, 0, 1) for count in (1, 2, 4, 8, 16, 32, 64)),
  *((count, 2, 1) for count in (4, 16, 64)),
  *((count, 0, 2) for count in (4, 16, 64)),
  *((count, 0, 4) for count in (4, 16, 64)),
]
COLUMNS = {
  'steps': 'environment steps / s',
  'learner_steps': 'learner steps / s',
  'calls_of_learner': 'requests to the learner / s',
  'calls_of_relay': 'requests to relays / s',
  'calls_of_counter': 'reports to the counter / s',
  'seconds_to_start': 'seconds to start',
  'seconds_to_stop': 'seconds to stop',
}


@dataclasses.dataclass(frozen=True)
class Options:
  """What is measured.

  Attributes:
    seconds: for which each layout is measured.
    out: the folder for scale.json and scale.png.
  """

  seconds: float = 20.0
  out: str = 'benchmarks/results/scale'


class Watch:
  """Sees the status of a run, counts between two moments, and stops the run then."""

  def __init__(self, counted: calls.Calls, actors: int, seconds: float):
    self._counted, self._actors, self._seconds = counted, actors, seconds
    self._begun = time.monotonic()
    self._first: Optional[Tuple[float, Dict[str, float]]] = None
    self.found: Dict[str, float] = {}
    self.stopped: Optional[float] = None

  def __call__(self, status: Dict[str, Any]) -> None:
    now = time.monotonic()
    acting = sum(node['counts'].get('actor_steps', 0) > 0 for node in status['nodes'].values())
    if acting < self._actors or self.stopped is not None:
      return
    started = self.found.setdefault('seconds_to_start', now - self._begun)
    if not status['totals'].get('learner_steps') or now < self._begun + started + _WARM_SECONDS:
      return
    counts = {
      'steps': float(status['steps']),
      'learner_steps': float(status['totals']['learner_steps']),
      **{f'calls_of_{role}': float(self._counted.total(role)) for role in calls.COUNTED},
    }
    if self._first is None:
      self._first = now, counts
    elif (elapsed := now - self._first[0]) > self._seconds:
      self.found.update({name: (count - self._first[1][name]) / elapsed for name, count in counts.items()})
      self.stopped = time.monotonic()
      os.kill(os.getpid(), signal.SIGINT)


def experiment(count: int, relays: int, replays: int) -> tfacme.Experiment:
  """DQN on catch with so many environments in all; the learner takes a batch of 64 for every 128 items."""
  actors = min(count, _PROCESSES)
  return tfacme.Experiment(
    builder=dqn.DQNBuilder(dqn.DQNConfig(samples_per_insert=0.5, min_replay_size=1000, batch_size=64)),
    networks=dqn.mlp_networks(hidden_sizes=(64, 64)),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=10**9),
    layout=tfacme.Layout(actors, count // actors, evaluators=0, relays=relays, replay='reverb', replays=replays),
  )


def measure(count: int, relays: int, replays: int, seconds: float) -> Dict[str, float]:
  """Runs a layout in processes that this one starts."""
  made = experiment(count, relays, replays)
  with tempfile.TemporaryDirectory() as folder:
    counted = calls.Calls(folder)
    watch = Watch(counted, made.layout.actors, seconds)
    try:
      launching.launch(tfacme.make_program(made, profile=counted), 'local_mp', watch)  # type: ignore[arg-type]
    except launching.Interrupted:
      if watch.stopped is None:
        raise
      watch.found['seconds_to_stop'] = time.monotonic() - watch.stopped
  about = {'environments': count, 'actors': made.layout.actors, 'relays': relays, 'replays': replays}
  return {**about, **{name: round(value, 2) for name, value in watch.found.items()}}


def report(out: pathlib.Path, results: List[Dict[str, float]]) -> None:
  """Writes the numbers, and draws them against the number of environments."""
  rows = [
    {**row, 'x': row['environments'], 'label': f'{row["relays"]} relays, {row["replays"]} replays'} for row in results
  ]
  processes.report(out / 'scale', results, rows, 'environments', COLUMNS)


def main(options: Options) -> None:
  """Measures all layouts, each in a process of its own."""
  processes.end_as_by_interrupt()
  results: List[Dict[str, float]] = []
  for layout in _LAYOUTS:
    results.append(processes.apart('scale', f'measure(*{layout}, {options.seconds})'))
    print(results[-1], flush=True)
    report(pathlib.Path(options.out), results)


if __name__ == '__main__':
  main(tyro.cli(Options, description=__doc__))
