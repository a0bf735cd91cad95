"""Kills nodes of a run, one kind after the other, and then any of them again and again: what happens, what is lost.

    python -m benchmarks.faults --out benchmarks/results/faults.json

Each run is DQN on catch in processes (`local_mp`) with two actors and a relay. The JSON has what was measured, and
docs/faults.md a table of it, which this writes as well.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Dict, List, Tuple

import tyro

from benchmarks import processes
from tfacme import checkpoints, errors, loggers
from tfacme.runs import status as status_lib

PAGE = pathlib.Path(__file__).parents[1] / 'docs' / 'faults.md'
LEAVES = {'actor-0': 'actor_steps', 'evaluator': 'evaluator_episodes', 'relay-0': None}  # what each counts
CORE = ('learner', 'replay', 'counter', 'saver')
LAUNCHER = 'the command'
_NODES = {*LEAVES, 'actor-1', *CORE}
_EVERY = 2_000  # steps between two checkpoints
_ACTED = 5_000  # steps of which a run has made so many before anything is killed
_LONGEST_SECONDS = 300.0  # that anything is waited for
_LEFT_SECONDS = 10.0  # after which no process of a command that has ended may be left


@dataclasses.dataclass(frozen=True)
class Options:
  """What is done.

  Attributes:
    steps: of each run in which one node is killed.
    random_steps: of the run in which any of them are.
    kills: how many times in that run.
    seconds: between two of these, on average.
    seed: of the moments, and of the nodes.
    nodes: of which each is killed in a run of its own.
    out: the file for the numbers; those of nodes that are not among these stay in it.
    page: the page for the table.
  """

  steps: int = 40_000
  random_steps: int = 250_000
  kills: int = 20
  seconds: float = 25.0
  seed: int = 0
  nodes: Tuple[str, ...] = (*LEAVES, *CORE, LAUNCHER)
  out: str = 'benchmarks/results/faults.json'
  page: str = str(PAGE)


class Run:
  """A command that trains, and what it says of itself; whoever leaves it ends all of its processes."""

  def __init__(self, folder: str, steps: int, restarts: int):
    self.workdir = os.path.join(folder, 'run')
    options = ['--launch', 'local_mp', '--actors', '2', '--relays', '1', '--steps', str(steps)]
    self._command = [sys.executable, '-m', 'tfacme', 'train', 'dqn', '--env', 'bsuite:catch/0', *options]
    self._command += ['--restarts', str(restarts), '--checkpointing.every', str(_EVERY), '--workdir', self.workdir]
    self._said = pathlib.Path(folder, 'said.txt')  # A pipe that nobody reads would hold it.
    self._sessions: List[int] = []

  def __enter__(self) -> Run:
    self.start()
    return self

  def __exit__(self, *_: Any) -> None:
    for session in self._sessions:
      processes.end_session(session)
    self.process.wait()

  def start(self) -> None:
    """Starts the command; the same one goes on where it was."""
    with open(self._said, 'ab') as said:
      self.process = subprocess.Popen(self._command, stdout=said, stderr=said, start_new_session=True)
    self._sessions.append(self.process.pid)

  def status(self) -> Dict[str, Any]:
    """What it said last; what it had not begun to say has no steps and no nodes."""
    told = status_lib.read(self.workdir)
    if told is None or told.process != self.process.pid:
      return {'time': 0.0, 'steps': 0, 'nodes': {}, 'notes': {}}
    return {'time': told.time, **told.status}

  def fresh_status(self) -> Dict[str, Any]:
    """The next one; it says how it stands every other second."""
    old = self.status()['time']
    wait_until(lambda: self.status()['time'] not in (0.0, old))
    return self.status()

  def said(self) -> str:
    """All that it has printed, in one line."""
    return ' '.join(self._said.read_text(encoding='utf-8', errors='replace').split())

  def resumed(self) -> List[int]:
    """The steps at which it went on, each time that it did."""
    return [int(steps.replace(',', '')) for steps in re.findall(r'Resuming from step ([\d,]+)', self.said())]

  def alive(self) -> Dict[str, int]:
    """The processes of its nodes that are there, by name."""
    named = processes.nodes(self.process.pid)
    return {name: pid for name, pid in named.items() if name in _NODES}

  def is_saved(self) -> bool:
    """Whether it has a checkpoint."""
    return bool(checkpoints.steps(os.path.join(self.workdir, 'checkpoints')))

  def left(self) -> int:
    """How many of its processes still run."""
    return len(list(processes.of_session(self.process.pid)))

  def result(self) -> Dict[str, Any]:
    """Waits for its end: how it ended, where, and what it left running."""
    code = self.process.wait(timeout=2 * _LONGEST_SECONDS)
    with contextlib.suppress(TimeoutError):
      wait_until(lambda: not self.left(), _LEFT_SECONDS)
    said = self.said()
    last = loggers.read(os.path.join(self.workdir, 'logs', 'evaluator.csv'))[-1]
    return {
      'exit_code': code,
      'steps': int(float(last['actor_steps'])),
      'return': float(last['episode_return']),
      'made_anew': said.count('has failed, and is made anew ('),
      'began_again': said.count('was lost, and the run begins again from its last checkpoint ('),
      'left': self.left(),
    }


def wait_until(condition: Callable[[], Any], seconds: float = _LONGEST_SECONDS) -> None:
  """Waits until something is so."""
  begun = time.monotonic()
  while not condition():
    if time.monotonic() - begun > seconds:
      raise TimeoutError(f'It was not so after {seconds} s.')
    time.sleep(0.05)


def kill_one(node: str, steps: int, folder: str) -> Dict[str, Any]:
  """Kills a node of a run, or the command itself, and lets the run end by itself."""
  measured: Dict[str, Any] = {'node': node}
  with Run(folder, steps, restarts=3) as run:
    # A node that has been heard of is past its start.
    ready = lambda: node == LAUNCHER or node in run.alive() and (node not in LEAVES or _counted(run.status(), node))
    wait_until(lambda: run.status()['steps'] >= _ACTED and run.is_saved() and ready())
    before, victim = run.fresh_status(), run.process.pid if node == LAUNCHER else run.alive()[node]
    os.kill(victim, signal.SIGKILL)
    killed = time.monotonic()
    if node == LAUNCHER:
      run.process.wait()
      wait_until(lambda: not run.left())
      measured['left_after_seconds'] = round(time.monotonic() - killed, 1)
      run.start()
    wait_until(lambda: _goes_on(run, node, before))
    measured['seconds'] = round(time.monotonic() - killed, 1)
    if node not in LEAVES:
      measured['steps_lost'] = before['steps'] - run.resumed()[-1]
    return {**measured, **run.result()}


def _counted(status: Dict[str, Any], node: str) -> Any:
  """What a leaf has counted; of one that counts nothing, whether it serves."""
  if (name := LEAVES[node]) is not None:
    return status['nodes'].get(node, {}).get('counts', {}).get(name, 0)
  return node in status['notes'] and status['notes'][node].get('doing') is None


def _goes_on(run: Run, node: str, before: Dict[str, Any]) -> bool:
  """Whether all is as it was before a node was killed, and has come further."""
  status, leaf = run.status(), node if node in LEAVES else 'actor-0'
  process = lambda told: told['notes'].get(leaf, {}).get('process')
  if process(status) in (None, process(before)):
    return False
  if node not in LEAVES:
    return bool(run.resumed()) and status['steps'] > run.resumed()[-1]
  return bool(_counted(status, node)) if LEAVES[node] is None else _counted(status, node) > _counted(before, node)


def kill_any(options: Options, folder: str) -> Dict[str, Any]:
  """Kills a node of one run, whichever is there, at random moments."""
  chance, begun, killed = random.Random(options.seed), time.monotonic(), []
  due = begun + chance.expovariate(1 / options.seconds)
  with Run(folder, options.random_steps, restarts=1000) as run:
    last, rose, longest = 0, begun, 0.0
    while run.process.poll() is None:
      time.sleep(0.1)
      now, steps = time.monotonic(), run.status()['steps']
      if steps > last:
        longest, rose = max(longest, now - rose), now
      elif now - rose > _LONGEST_SECONDS:
        raise TimeoutError(f'It stood still at {last} steps; killed were {killed}.')
      last = steps or last  # Where it begins again from a checkpoint it has fewer, and has to come to more than those.
      if now >= due and len(killed) < options.kills and (there := run.alive()):
        due = now + chance.expovariate(1 / options.seconds)
        name = chance.choice(sorted(there))
        with contextlib.suppress(ProcessLookupError):
          os.kill(there[name], signal.SIGKILL)
          killed.append(name)
    seconds = time.monotonic() - begun
    longest = max(longest, time.monotonic() - rose)  # until it had learned what was left, evaluated and saved
    return {
      'kills': killed,
      'minutes': round(seconds / 60, 1),
      'longest_stand_seconds': round(longest, 1),
      **run.result(),
    }


def table(results: Dict[str, Any]) -> str:
  """The table of the page."""
  lines = ['| killed | what happened | seconds | steps lost | ended with |', '|---|---|---|---|---|']
  for node, row in results['one'].items():
    lost = f'{row["steps_lost"]:,}' if 'steps_lost' in row else ''
    lines.append(f'| {_named(node)} | {_happened(row)} | {row["seconds"]:.0f} | {lost} | {_end(row)} |')
  if any_of := results.get('any'):
    lines += [
      '',
      f'{len(any_of["kills"])} kills in {any_of["minutes"]:.0f} minutes of one run, each of any node that was there: '
      f'leaves were made anew {errors.counted(any_of["made_anew"], "time")}, and the run began again '
      f'{errors.counted(any_of["began_again"], "time")}. It never stood still for more than '
      f'{any_of["longest_stand_seconds"]:.0f} s, and ended by itself with {_end(any_of)}.',
    ]
  return '\n'.join(lines)


def _named(node: str) -> str:
  return {'actor-0': 'an actor', 'relay-0': 'a relay', 'evaluator': 'the evaluator', LAUNCHER: LAUNCHER}.get(
    node, f'the {node}'
  )


def _happened(row: Dict[str, Any]) -> str:
  """What was done about it, as the run itself has told."""
  if row['node'] == LAUNCHER:
    return f'no process was left after {row["left_after_seconds"]:.1f} s; the same command went on'
  if row['began_again']:
    return 'the run began again from its last checkpoint'
  return 'it was made anew, and all others went on' if row['made_anew'] else 'nothing'


def _end(row: Dict[str, Any]) -> str:
  left = f', {row["left"]} left running' if row['left'] else ''
  return f'exit code {row["exit_code"]} after {row["steps"]:,} steps, a return of {row["return"]:.2f}{left}'


def write(options: Options, results: Dict[str, Any]) -> None:
  """Writes the numbers, and the table into the page, between its two marks."""
  pathlib.Path(options.out).write_text(json.dumps(results, indent=2) + '\n', encoding='utf-8')
  page = pathlib.Path(options.page)
  before, _, rest = page.read_text(encoding='utf-8').partition('<!-- table -->\n')
  _, _, after = rest.partition('<!-- end -->')
  page.write_text(f'{before}<!-- table -->\n{table(results)}\n<!-- end -->{after}', encoding='utf-8')


def main(options: Options) -> None:
  """Does all of it, and writes what there is after each run."""
  processes.end_as_by_interrupt()
  out = pathlib.Path(options.out)
  results = json.loads(out.read_text(encoding='utf-8')) if out.exists() else {'one': {}}
  for node in options.nodes:
    with tempfile.TemporaryDirectory(prefix='tfacme-') as folder:
      results['one'][node] = kill_one(node, options.steps, folder)
    print(json.dumps(results['one'][node]), flush=True)
    write(options, results)
  if options.kills:
    with tempfile.TemporaryDirectory(prefix='tfacme-') as folder:
      results['any'] = kill_any(options, folder)
    print(json.dumps(results['any']), flush=True)
    write(options, results)
    if len(results['any']['kills']) < options.kills:
      print(f'The run ended after {len(results["any"]["kills"])} kills: give it more --random-steps.')


if __name__ == '__main__':
  main(tyro.cli(Options, description=__doc__))
