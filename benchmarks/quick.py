"""How fast this tree is beside another commit, in less than three minutes: `make bench-quick AGAINST=main`.

    python -m benchmarks.quick [--against HEAD]

A quarter of the steps of a few works of `compare.py`, run by both trees in turn. Runs of one program vary by a third
here and there: a difference of less than that is told by several of them (`--repeats 5`).
"""

from __future__ import annotations

import dataclasses
import pathlib
import statistics
import subprocess
import tempfile
from typing import Dict, List, Tuple

import tyro

from benchmarks import compare, processes

_SHARE = 0.25  # of a work's steps


@dataclasses.dataclass(frozen=True)
class Options:
  """What is compared.

  Attributes:
    against: the commit.
    works: names of works; with an engine, `dqn-catch/local_mp` is that in processes, with two actors.
    repeats: runs of each.
  """

  against: str = 'HEAD'
  works: Tuple[str, ...] = ('dqn-cartpole', 'sac-pendulum', 'dqn-catch/local_mp')
  repeats: int = 1


def main(options: Options) -> None:
  """Measures and prints."""
  processes.end_as_by_interrupt()
  with tempfile.TemporaryDirectory() as folder:
    other = pathlib.Path(folder) / 'tree'
    subprocess.run(
      ['git', 'worktree', 'add', '--quiet', '--detach', other, options.against], check=True, cwd=compare.ROOT
    )
    try:
      for work in options.works:
        print(_line(work, _rates(work, {'here': compare.ROOT, options.against: other}, options.repeats)), flush=True)
    finally:
      subprocess.run(['git', 'worktree', 'remove', '--force', other], check=True, cwd=compare.ROOT)


def _rates(work: str, trees: Dict[str, pathlib.Path], repeats: int) -> Dict[str, List[float]]:
  name, _, engine = work.partition('/')
  layout = [engine, '2', '1'] if engine else ['inline', '1', '']
  command = [*compare.contenders(name)['tfacme'], *layout, str(_SHARE)]
  rates: Dict[str, List[float]] = {label: [] for label in trees}
  for _ in range(repeats):
    for label, tree in trees.items():
      rates[label].append(compare.rate(name, compare.run(command, tree)))
  return rates


def _line(work: str, rates: Dict[str, List[float]]) -> str:
  (here, ours), (other, theirs) = rates.items()
  ratio = statistics.median(a / b for a, b in zip(ours, theirs))
  shown = [f'{label} {", ".join(f"{rate:,.0f}" for rate in own)}' for label, own in ((here, ours), (other, theirs))]
  return f'{work}: {"; ".join(shown)} a second: {ratio:.2f} times as fast'


if __name__ == '__main__':
  main(tyro.cli(Options, description=__doc__))
