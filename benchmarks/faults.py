"""Kills parts of a run, one kind after the other, and then any of them again and again: what happens, what is lost.

    python -m benchmarks.faults --launch local_mp
    python -m benchmarks.faults --launch ray

Each run is DQN on catch. The JSON has what was measured, and docs/faults.md tables of it, which this writes as well. A
cluster takes `.venv-ray`, which `make hosts-test` makes, and the rights of root.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import random
import tempfile
import time
from typing import Any, Dict, List, Literal, Optional, Tuple

import tyro

from benchmarks import processes, victims
from benchmarks.victims import CORE, LEAVES, LONGEST_SECONDS, role, wait_until
from tfacme import errors

PAGE = pathlib.Path(__file__).parents[1] / 'docs' / 'faults.md'
LAUNCHER = 'the command'
NODES = {  # what is killed of the runs of each engine
  'local_mp': ('actor-0', 'evaluator', 'relay-0', *CORE, LAUNCHER),
  'ray': ('actor-0', 'evaluator', 'relay-0', victims.RAYLET, victims.HOST, *CORE, LAUNCHER),
}
RANDOM_STEPS = {'local_mp': 400_000, 'ray': 330_000}
_TITLES = {
  'local_mp': '## In processes of one machine (`local_mp`)',
  'ray': '## On a Ray cluster of three hosts (`ray`)',
}
_EVERY = 2_000  # steps between two checkpoints
_ACTED = 5_000  # steps of which a run has made so many before anything is killed


@dataclasses.dataclass(frozen=True)
class Options:
  """What is done.

  Attributes:
    launch: the engine.
    steps: of each run in which one thing is killed.
    random_steps: of the run in which any of them are; None is what takes some ten minutes.
    kills: how many times in that run.
    seconds: between two of these, on average.
    seed: of the moments, and of what is killed.
    nodes: of which each is killed in a run of its own; None are all.
    out: the file for the numbers; those of engines and of nodes that are not among these stay in it.
    page: the page for the tables.
  """

  launch: Literal['local_mp', 'ray'] = 'local_mp'
  steps: int = 40_000
  random_steps: Optional[int] = None
  kills: int = 20
  seconds: float = 25.0
  seed: int = 0
  nodes: Optional[Tuple[str, ...]] = None
  out: str = 'benchmarks/results/faults.json'
  page: str = str(PAGE)


def kill_one(node: str, place: Any, options: Options, folder: str) -> Dict[str, Any]:
  """Kills a part of a run, or the command itself, and lets the run end by itself."""
  measured: Dict[str, Any] = {'node': node}
  with victims.Run(place, folder, options.steps, _EVERY, restarts=3) as run:
    # A leaf that has been heard of is past its start.
    ready = lambda: all(_counted(run.status(), leaf) for leaf in _leaves(place))
    there = lambda: node == LAUNCHER or node in run.victims()
    wait_until(lambda: place.mend() or run.status()['steps'] >= _ACTED and run.is_saved() and ready() and there())
    before = run.fresh_status()
    victim = victims.Victim(run.process.kill, 'actor-0') if node == LAUNCHER else run.victims()[node]
    victim.kill()
    killed = time.monotonic()
    if node == LAUNCHER:
      run.process.wait()
      wait_until(lambda: not run.left())
      measured['left_after_seconds'] = round(time.monotonic() - killed, 1)
      run.start()
    again = node in (*CORE, LAUNCHER)
    wait_until(lambda: place.mend() or _goes_on(run, victim.leaf, again, before))
    measured['seconds'] = round(time.monotonic() - killed, 1)
    if again:
      measured['steps_lost'] = before['steps'] - run.resumed()[-1]
    return {**measured, **run.result()}


def _leaves(place: Any) -> Tuple[str, ...]:
  return (*(f'actor-{index}' for index in range(place.actors)), 'evaluator', 'relay-0')


def _counted(status: Dict[str, Any], leaf: str) -> Any:
  """What a leaf has counted; of one that counts nothing, whether it serves."""
  if (name := LEAVES[role(leaf)]) is not None:
    return status['nodes'].get(leaf, {}).get('counts', {}).get(name, 0)
  return leaf in status['notes'] and status['notes'][leaf].get('doing') is None


def _goes_on(run: victims.Run, leaf: str, again: bool, before: Dict[str, Any]) -> bool:
  """Whether a leaf is another process than it was before, and all, or that leaf, has come further."""
  status, process = run.status(), lambda told: told['notes'].get(leaf, {}).get('process')
  if process(status) in (None, process(before)):
    return False
  if again:
    return bool(run.resumed()) and status['steps'] > run.resumed()[-1]
  return bool(_counted(status, leaf)) and (
    LEAVES[role(leaf)] is None or _counted(status, leaf) > _counted(before, leaf)
  )


def kill_any(place: Any, options: Options, folder: str) -> Dict[str, Any]:
  """Kills a part of one run, whichever is there, at random moments."""
  chance, begun, killed = random.Random(options.seed), time.monotonic(), []
  due = begun + chance.expovariate(1 / options.seconds)
  with victims.Run(place, folder, _random_steps(options), _EVERY, restarts=1000) as run:
    last, rose, stands = 0, begun, _Stands()
    while run.process.poll() is None:
      time.sleep(0.1)
      place.mend()
      now, steps = time.monotonic(), run.status()['steps']
      if steps > last:
        stands.end(rose, now)
        rose = now
      elif now - rose > LONGEST_SECONDS:
        raise TimeoutError(f'It stood still at {last} steps; killed were {killed}.')
      last = steps or last  # Where it begins again from a checkpoint it has fewer, and has to come to more than those.
      if now >= due and len(killed) < options.kills and (there := run.victims()):
        due = now + chance.expovariate(1 / options.seconds)
        name = chance.choice(sorted(there))
        there[name].kill()
        killed.append(name)
        stands.kill(name, time.monotonic())
    stands.end(rose, time.monotonic())  # until it had learned what was left, evaluated and saved
    return {
      'kills': killed,
      'minutes': round((time.monotonic() - begun) / 60, 1),
      **stands.result(),
      **run.result(),
    }


class _Stands:
  """Times without new steps: the longest, and the longest since the last kill in one, for there may be several."""

  def __init__(self):
    self._kills: List[Tuple[float, str]] = []
    self._longest, self._after, self._names = 0.0, 0.0, []

  def kill(self, name: str, now: float) -> None:
    self._kills.append((now, name))

  def end(self, begun: float, now: float) -> None:
    within = [(when, name) for when, name in self._kills if when >= begun]
    if now - begun > self._longest:
      self._longest, self._names = now - begun, [name for _, name in within]
    self._after = max(self._after, now - max([begun, *(when for when, _ in within)]))

  def result(self) -> Dict[str, Any]:
    return {
      'longest_stand_seconds': round(self._longest, 1),
      'killed_in_it': self._names,
      'longest_after_a_kill_seconds': round(self._after, 1),
    }


def _random_steps(options: Options) -> int:
  return RANDOM_STEPS[options.launch] if options.random_steps is None else options.random_steps


def tables(results: Dict[str, Any]) -> str:
  """The tables of the page."""
  return '\n\n'.join(f'{title}\n\n{_table(results[launch])}' for launch, title in _TITLES.items() if launch in results)


def _table(results: Dict[str, Any]) -> str:
  """What one engine did."""
  lines = ['| killed | what happened | seconds | steps lost | ended with |', '|---|---|---|---|---|']
  for node, row in results['one'].items():
    lost = f'{row["steps_lost"]:,}' if 'steps_lost' in row else ''
    lines.append(f'| {_named(node)} | {_happened(row)} | {row["seconds"]:.0f} | {lost} | {_end(row)} |')
  if any_of := results.get('any'):
    lines += [
      '',
      f'{len(any_of["kills"])} of these in {any_of["minutes"]:.0f} minutes of one run, at random moments, each of '
      f'whatever was there but the command: leaves were made anew {errors.counted(any_of["made_anew"], "time")}, and '
      f'the run began again {errors.counted(any_of["began_again"], "time")}. There never were more than '
      f'{any_of["longest_stand_seconds"]:.0f} s without new steps{_again(any_of)}, and it ended by itself with '
      f'{_end(any_of)}.',
    ]
  return '\n'.join(lines)


def _again(any_of: Dict[str, Any]) -> str:
  """What else there is to say of the longest stand, if more than one kill was in it."""
  names = any_of.get('killed_in_it', [])
  if len(names) < 2:
    return ''
  after = f'{any_of["longest_after_a_kill_seconds"]:.0f} s'
  return f' (in which {errors.listed(names)} were killed; never more than {after} after a kill)'


def _named(node: str) -> str:
  if node in (LAUNCHER, victims.RAYLET, victims.HOST):
    return node
  return f'{"an" if role(node) == "actor" else "a" if role(node) == "relay" else "the"} {role(node)}'


def _happened(row: Dict[str, Any]) -> str:
  """What was done about it, as the run itself has told."""
  if row['node'] == LAUNCHER:
    return f'no process was left after {row["left_after_seconds"]:.1f} s; the same command went on'
  if row['began_again']:
    return 'the run began again from its last checkpoint'
  made = 'it was' if row['made_anew'] == 1 else f'{row["made_anew"]} leaves were'
  return f'{made} made anew, and all others went on' if row['made_anew'] else 'nothing'


def _end(row: Dict[str, Any]) -> str:
  seconds = row.get('left_for_seconds', 0)
  late = f', its last process gone {seconds:.0f} s later' if seconds >= 10 else ''
  left = f', {row["left"]} left running' if row['left'] else late
  return f'exit code {row["exit_code"]} after {row["steps"]:,} steps, a return of {row["return"]:.2f}{left}'


def write(options: Options, results: Dict[str, Any]) -> None:
  """Writes the numbers, and the tables into the page, between its two marks."""
  pathlib.Path(options.out).write_text(json.dumps(results, indent=2) + '\n', encoding='utf-8')
  page = pathlib.Path(options.page)
  before, _, rest = page.read_text(encoding='utf-8').partition('<!-- tables -->\n')
  _, _, after = rest.partition('<!-- end -->')
  page.write_text(f'{before}<!-- tables -->\n{tables(results)}\n<!-- end -->{after}', encoding='utf-8')


def main(options: Options) -> None:
  """Does all of it, and writes what there is after each run."""
  processes.end_as_by_interrupt()
  out = pathlib.Path(options.out)
  results = json.loads(out.read_text(encoding='utf-8')) if out.exists() else {}
  own = results.setdefault(options.launch, {'one': {}})
  with (
    tempfile.TemporaryDirectory(prefix='tfacme-') as runs,
    victims.places(options.launch, pathlib.Path(runs)) as place,
  ):
    for node in NODES[options.launch] if options.nodes is None else options.nodes:
      own['one'][node] = kill_one(node, place, options, tempfile.mkdtemp(dir=runs))
      print(json.dumps(own['one'][node]), flush=True)
      write(options, results)
    if options.kills:
      own['any'] = kill_any(place, options, tempfile.mkdtemp(dir=runs))
      print(json.dumps(own['any']), flush=True)
      write(options, results)
      if len(own['any']['kills']) < options.kills:
        print(f'The run ended after {len(own["any"]["kills"])} kills: give it more --random-steps.')


if __name__ == '__main__':
  main(tyro.cli(Options, description=__doc__))
