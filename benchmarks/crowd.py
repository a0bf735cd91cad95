"""A crowd of simulated actors against one real learner, counter and relays: where it bends.

    python -m benchmarks.crowd --out benchmarks/results/scale

The run is DQN with a learner that never waits, in processes. Its real actors hardly act; simulated ones do what actors
do to learner and counter (`clients.py`): each has a connection to both, joins, asks for newer variables so many times a
second, reports with a claim on the budget, and sends rows for its log, as often as an actor of so large a run does.
They have no TensorFlow in Python, no networks and no environments, are a few hundred in a process, and run on the same
machine: what they take of its processors is not there for the nodes. So the processor time of nodes and of clients is
measured as well, from which follows what nodes with processors of their own could answer.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any, Dict, List, Optional, Tuple

import dm_env
import numpy as np
import tyro
from bsuite.environments import catch

from benchmarks import processes

_IN_A_PROCESS = 250  # simulated actors
_WARM_SECONDS = 5.0  # for which the crowd asks before anything is measured
_QUANTILES = (0.5, 0.99)
_WHAT = ('pull', 'report', 'write')


@dataclasses.dataclass(frozen=True)
class Options:
  """What is simulated.

  Attributes:
    actors: how many, a run of each.
    relays: how many, a run of each.
    pulls: requests for variables a second, of each actor: one in 10 of 20 steps, as DQN asks.
    width: of the two layers of the network.
    seconds: for which each is measured.
    out: the folder for crowd.json and crowd.png.
  """

  actors: Tuple[int, ...] = (10, 30, 100, 300, 1000)
  relays: Tuple[int, ...] = (0, 2)
  pulls: float = 2.0
  width: int = 64
  seconds: float = 15.0
  out: str = 'benchmarks/results/scale'


class Crowd:
  """Sees the status of the run; once its learner learns it sends the crowd, measures, and stops the run."""

  def __init__(self, program: Any, actors: int, options: Options, folder: str):
    from tfacme.graph import nodes

    self._nodes = {n.name: n for n in nodes.of_program(program) if n.role in ('learner', 'relay', 'counter')}
    self._actors, self._options, self._folder = actors, options, folder
    self._processes: List[subprocess.Popen] = []
    self._spent: List[Dict[str, float]] = []  # processor time of the nodes at both ends of what is measured
    self._steps: List[Tuple[float, float]] = []  # when the learner had made how many
    self.found: Optional[Dict[str, Any]] = None

  def __call__(self, status: Dict[str, Any]) -> None:
    if self.found is not None or not status['totals'].get('learner_steps'):
      return
    if not self._processes:
      self._send()
      return
    if any(process.poll() for process in self._processes):
      raise RuntimeError('A process of simulated actors has failed.')
    now = time.time()
    if self._measured <= now < self._measured + self._options.seconds:
      self._steps.append((now, float(status['totals']['learner_steps'])))
    if len(self._spent) == 2 and all(process.poll() == 0 for process in self._processes):
      self.found = self._result()
      os.kill(os.getpid(), signal.SIGINT)

  def _send(self) -> None:
    """Starts all clients, and tells them when they begin once all are ready."""
    import tfacme
    from tfacme.graph import building

    address = {name: node.addresses[0].resolve() for name, node in self._nodes.items()}
    sources = tuple(address[name] for name in sorted(address) if name.startswith('relay')) or (address['learner'],)
    period, seconds = building.period(tfacme.Layout(actors=self._actors)), self._options.seconds
    for first in range(0, self._actors, _IN_A_PROCESS):
      numbers = first, min(first + _IN_A_PROCESS, self._actors)
      result = os.path.join(self._folder, f'{first}.npz')
      about = (sources, address['counter'], numbers, self._options.pulls, period, seconds, result)
      call = f'from benchmarks import clients; clients.Clients(*{about!r}).run()'
      self._processes.append(
        subprocess.Popen([sys.executable, '-c', call], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
      )
    for process in self._processes:
      assert process.stdout is not None
      process.stdout.readline()
    self._measured = time.time() + _WARM_SECONDS
    for process in self._processes:
      assert process.stdin is not None
      process.stdin.write(f'{self._measured}\n')
      process.stdin.flush()
    for wait in (_WARM_SECONDS, _WARM_SECONDS + seconds):
      threading.Timer(wait, self._look).start()

  def _look(self) -> None:
    named = processes.nodes(os.getsid(0))
    self._spent.append({name: processes.seconds(named[name]) for name in self._nodes})

  def _result(self) -> Dict[str, Any]:
    results = [np.load(path) for path in sorted(pathlib.Path(self._folder).glob('*.npz'))]
    seconds, (before, after) = self._options.seconds, self._spent
    (begun, first), (ended, last) = self._steps[0], self._steps[-1]
    found: Dict[str, Any] = {}
    for what in _WHAT:
      took = np.concatenate([result[what] for result in results])
      found[f'{what}s_per_second'] = sum(int(result[f'answered_{what}']) for result in results) / seconds
      found[f'milliseconds_of_a_{what}'] = [round(1e3 * float(np.quantile(took, q)), 2) for q in _QUANTILES]
    return {
      **found,
      'learner_steps_per_second': (last - first) / (ended - begun),
      'processors': {name: round((after[name] - before[name]) / seconds, 3) for name in before},
      'processors_of_clients': sum(float(result['processors']) for result in results),
    }


class Slow(catch.Catch):
  """Catch that takes a tenth of a second for a step, so that real actors take no time from others."""

  def step(self, action: int) -> dm_env.TimeStep:
    """One step."""
    time.sleep(0.1)
    return super().step(action)


def slow(seed: int) -> Slow:
  """Makes the environment."""
  return Slow(seed=seed)


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
    builder=Builder(dqn.DQNConfig(batch_size=64)),
    networks=dqn.mlp_networks(hidden_sizes=(options.width, options.width)),
    environment=slow,
    budget=tfacme.Budget(actor_steps=10**9),
    layout=tfacme.Layout(actors=max(1, relays), evaluators=0, relays=relays),  # There are no more relays than actors.
  )
  with tempfile.TemporaryDirectory() as folder:
    # With a folder for the run, into which the counter writes the logs.
    program = tfacme.make_program(experiment, os.path.join(folder, 'run'))
    crowd = Crowd(program, actors, options, folder)
    try:
      launching.launch(program, 'local_mp', crowd)
    except launching.Interrupted:
      if crowd.found is None:
        raise
  return {'actors': actors, 'relays': relays, **(crowd.found or {})}


def report(out: pathlib.Path, results: List[Dict[str, Any]]) -> None:
  """Writes the numbers, and draws them against the number of actors."""
  columns = {
    'pulls_per_second': 'requests for variables / s',
    'reports_per_second': 'reports / s',
    'learner_steps_per_second': 'learner steps / s',
    'pull': 'ms of a request (median)',
    'report': 'ms of a report (median)',
    'learner': 'processors of the learner',
    'counter': 'processors of the counter',
    'processors_of_clients': 'processors of the clients',
  }
  rows = []
  for row in results:
    medians = {what: row[f'milliseconds_of_a_{what}'][0] for what in _WHAT}
    rows.append({**row, **row['processors'], **medians, 'x': row['actors'], 'label': f'{row["relays"]} relays'})
  processes.report(out / 'crowd', results, rows, 'simulated actors', columns)


def main(options: Options) -> None:
  """Sends all crowds, each to a run of its own."""
  processes.end_as_by_interrupt()
  results: List[Dict[str, Any]] = []
  for relays in options.relays:
    for actors in options.actors:
      call = f'measure({actors}, {relays}, crowd.Options(**{dataclasses.asdict(options)!r}))'
      results.append(processes.apart('crowd', call))
      print(results[-1], flush=True)
      report(pathlib.Path(options.out), results)


if __name__ == '__main__':
  main(tyro.cli(Options, description=__doc__))
