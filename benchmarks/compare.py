"""tfacme beside its peers, on the same work: `make bench`.

    python -m benchmarks.compare [--works dqn-cartpole sac-pendulum] [--repeats 5]

Each contender of a work runs it in a process of its own, in turn with the others, as often as is said: between two runs
the same program varies by up to a third, so only what alternates is compared. What is measured begins when a contender
has warmed up and has learned for the first time; all compute on the processors of this machine, with as many threads as
they take by themselves. That the work is the same is checked by the number of updates for each environment step.

The peers live in environments of their own (`.peers/`), made from `benchmarks/peers/requirements/` if they are missing.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import tyro

from benchmarks import processes
from benchmarks.peers import works

ROOT = pathlib.Path(__file__).resolve().parent.parent
_PEERS = ROOT / 'benchmarks' / 'peers'
_ENVIRONMENTS = ROOT / '.peers'
_LONGEST_SECONDS = 900.0  # that a run of a contender may take
_DIFFERENT = 0.05  # updates for a step, as a share of those of tfacme, up to which the work is the same


@dataclasses.dataclass(frozen=True)
class Peer:
  """Somebody tfacme is compared with.

  Attributes:
    name: in full.
    environment: the name of its lock, and of its environment.
    python: the version of Python that it needs.
    script: what does a work, with these arguments before the work's name.
    alone: what is installed without what it says that it needs.
  """

  name: str
  environment: str
  python: str
  script: Tuple[str, ...]
  alone: Tuple[str, ...] = ()


PEERS: Mapping[str, Peer] = {
  'acme': Peer('Acme 0.4.0 (TensorFlow)', 'acme', '3.10', ('acme_tf.py',), ('dm-acme==0.4.0',)),
  'sb3': Peer('Stable-Baselines3', 'torch', '3.11', ('stable_baselines.py', 'sb3')),
  'sbx': Peer('SBX', 'torch', '3.11', ('stable_baselines.py', 'sbx')),
}


@dataclasses.dataclass(frozen=True)
class Options:
  """What is compared.

  Attributes:
    works: their names; all if none are given.
    repeats: runs of each contender.
    out: the folder for compare.json and compare.png.
  """

  works: Tuple[str, ...] = ()
  repeats: int = 5
  out: str = 'benchmarks/results/compare'


def contenders(name: str) -> Dict[str, List[str]]:
  """The commands of all that do a work, by their names."""
  work = works.WORKS[name]
  own = {'tfacme': [sys.executable, str(_PEERS / 'ours.py'), name]}
  for engine, actors, slots in work.engines:
    label = f'tfacme, {engine}, {actors} actors' + (f', {slots} slots' if slots > 1 else '')
    own[label] = [*own['tfacme'], engine, str(actors), str(slots)]
  return {**own, **{PEERS[peer].name: _command(PEERS[peer], name) for peer in work.peers}}


def _command(peer: Peer, work: str) -> List[str]:
  script, *arguments = peer.script
  return [str(_ENVIRONMENTS / peer.environment / 'bin' / 'python'), str(_PEERS / script), *arguments, work]


def prepare(peers: Sequence[str]) -> None:
  """Makes the environments that are missing."""
  for peer in dict.fromkeys(PEERS[name].environment for name in peers):
    place, lock = _ENVIRONMENTS / peer, _PEERS / 'requirements' / f'{peer}.txt'
    if (place / '.done').exists() and (place / '.done').read_text(encoding='utf-8') == lock.read_text(encoding='utf-8'):
      continue
    about = next(one for one in PEERS.values() if one.environment == peer)
    print(f'Making {place.relative_to(ROOT)} of {lock.relative_to(ROOT)}', flush=True)
    uv = subprocess.run(
      [ROOT / 'tools' / 'set_up.sh', 'uv'], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    subprocess.run(
      [uv, 'venv', '--quiet', '--clear', '--no-project', '--python', about.python, place], check=True, cwd=ROOT
    )
    # Not synced: a build of torch for GPUs needs libraries that one for processors does without.
    install = [uv, 'pip', 'install', '--quiet', '--python', place / 'bin' / 'python']
    subprocess.run([*install, '--requirement', lock], check=True, cwd=ROOT)
    if about.alone:
      subprocess.run([*install, '--no-deps', *about.alone], check=True, cwd=ROOT)
    (place / '.done').write_text(lock.read_text(encoding='utf-8'), encoding='utf-8')


def run(command: Sequence[str], tree: pathlib.Path = ROOT) -> Dict[str, float]:
  """What one run of a contender took: seconds, steps and updates; `tree` is where tfacme is imported from."""
  quiet = {**os.environ, 'TF_CPP_MIN_LOG_LEVEL': '3', 'PYTHONWARNINGS': 'ignore', 'CUDA_VISIBLE_DEVICES': ''}
  quiet['PYTHONPATH'] = str(tree)
  return processes.told(command, ' '.join(command), _LONGEST_SECONDS, cwd=tree, env=quiet, stderr=subprocess.PIPE)


def compare(name: str, repeats: int) -> Dict[str, List[Dict[str, float]]]:
  """All runs of a work, by contender; they take turns."""
  commands = contenders(name)
  rows: Dict[str, List[Dict[str, float]]] = {contender: [] for contender in commands}
  for _ in range(repeats):
    for contender, command in commands.items():
      rows[contender].append(run(command))
      print(f'{name}, {contender}: {rate(name, rows[contender][-1]):,.0f}', flush=True)
  check_same(name, rows)
  return rows


def rate(name: str, row: Mapping[str, float]) -> float:
  """What counts of a run: environment steps a second; where items differ, updates."""
  return row[works.WORKS[name].counted] / row['seconds']


def check_same(name: str, rows: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
  """Raises a `RuntimeError` unless all did as many updates for an environment step, where that is what is counted."""
  if works.WORKS[name].counted == 'updates':
    return
  done = {contender: statistics.median(row['updates'] / row['steps'] for row in own) for contender, own in rows.items()}
  for contender, each in done.items():
    if abs(each / done['tfacme'] - 1) > _DIFFERENT:
      raise RuntimeError(f'{contender} made {each:.4f} updates for a step of {name}, and tfacme {done["tfacme"]:.4f}.')


def medians(name: str, rows: Mapping[str, Sequence[Mapping[str, float]]]) -> Dict[str, float]:
  """The median rate of each contender."""
  return {contender: statistics.median(rate(name, row) for row in own) for contender, own in rows.items()}


def table(results: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]]) -> str:
  """The medians, and how much faster tfacme was than each peer: of pairs of runs that came one after the other."""
  lines = ['| work | contender | a second | tfacme is faster by |', '|---|---|---|---|']
  for name, rows in results.items():
    for contender, median in medians(name, rows).items():
      pairs = zip(rows['tfacme'], rows[contender])
      ratio = statistics.median(rate(name, own) / rate(name, other) for own, other in pairs)
      lines.append(f'| {name} | {contender} | {median:,.0f} {works.WORKS[name].counted} | {ratio:.2f} |')
  return '\n'.join(lines)


def draw(results: Mapping[str, Any], path: pathlib.Path) -> None:
  """A bar for each contender of each work, with tfacme as 1."""
  import matplotlib

  matplotlib.use('Agg')
  from matplotlib import pyplot

  figure, axis = pyplot.subplots(figsize=(8, 0.4 * sum(map(len, results.values())) + 1), layout='constrained')
  labels: List[str] = []
  for name, rows in results.items():
    rates = medians(name, rows)
    for contender, median in rates.items():
      axis.barh(len(labels), median / rates['tfacme'], color='#c07f1c' if contender.startswith('tfacme') else '#8899aa')
      labels.append(f'{name}: {contender}')
  axis.set(yticks=range(len(labels)), yticklabels=labels, xlabel='rate, that of tfacme in one thread being 1')
  axis.invert_yaxis()
  figure.savefig(path, dpi=100)


def main(options: Options) -> None:
  """Compares, and writes what there is after each work."""
  processes.end_as_by_interrupt()
  names = options.works or tuple(works.WORKS)
  prepare([peer for name in names for peer in works.WORKS[name].peers])
  out = pathlib.Path(options.out)
  out.mkdir(parents=True, exist_ok=True)
  file = out / 'compare.json'
  results = json.loads(file.read_text(encoding='utf-8')) if file.exists() else {}
  for name in names:
    results[name] = compare(name, options.repeats)
    file.write_text(json.dumps(results, indent=2) + '\n', encoding='utf-8')
    draw(results, out / 'compare.png')
  print(table(results))


if __name__ == '__main__':
  main(tyro.cli(Options, description=__doc__))
