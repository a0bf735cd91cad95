"""Learning curves: runs pages for several seeds, and keeps every evaluation of every seed and one plot.

    python benchmarks/curves.py programs/gym/dqn.py --seeds 0 1 2 3 4 --out benchmarks/results/dqn-cartpole

Every seed that is run is kept and shown, whatever came of it. The results of several pages lie in folders of their own.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import List, Optional, Tuple

import tyro

from tfacme import loggers
from tfacme.workers import plotting


@dataclasses.dataclass(frozen=True)
class Options:
  """What is run.

  Attributes:
    pages: the pages that define the experiments.
    out: the folder of the results.
    seeds: one run of each page for each.
    launch: the engine.
    actors: how many each page is run with, one after the other; none are the page's own.
    workdir: where the runs go; None is a temporary folder.
  """

  pages: tyro.conf.Positional[Tuple[str, ...]]
  out: str
  seeds: Tuple[int, ...] = (0, 1, 2, 3, 4)
  launch: str = 'inline'
  actors: Tuple[int, ...] = ()
  workdir: str | None = None


def main(options: Options) -> None:
  """Runs all seeds of all pages, one after the other, and prints the last evaluation of each."""
  out = pathlib.Path(options.out)
  root = pathlib.Path(options.workdir or tempfile.mkdtemp(prefix='curves-'))
  runs = []
  kinds = [(pathlib.Path(page), actors) for page in options.pages for actors in options.actors or (None,)]
  for page, actors in kinds:
    own = '.' if len(kinds) == 1 else '-'.join([page.parent.name, page.stem, *([f'{actors}-actors'] if actors else [])])
    runs += _run_page(os.fspath(page), actors, out / own, root / own, options)
  plotting.learning_curve([os.fspath(run) for run in runs], os.fspath(out / 'curve.png'))


def _run_page(
  page: str, actors: Optional[int], out: pathlib.Path, root: pathlib.Path, options: Options
) -> List[pathlib.Path]:
  """Runs all seeds of a page; returns the runs' folders."""
  out.mkdir(parents=True, exist_ok=True)
  runs = [root / f'seed{seed}' for seed in options.seeds]
  finals = []
  for seed, run in zip(options.seeds, runs):
    command = [sys.executable, page, '--seed', str(seed), '--workdir', str(run), '--launch', options.launch]
    command += [] if actors is None else ['--actors', str(actors)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shutil.copy(run / 'logs' / 'evaluator.csv', out / f'seed{seed}.csv')
    description = json.loads((run / 'experiment.json').read_text())
    description.pop('command')  # It names folders of this machine; the page and the seed say the same.
    (out / f'seed{seed}.json').write_text(json.dumps(description, indent=2) + '\n')
    last = loggers.read(os.fspath(run / 'logs' / 'evaluator.csv'))[-1]
    names = [name for name in last if name.startswith(('actor_steps', 'learner_steps', 'episode'))]
    finals.append({'seed': seed, **{name: last[name] for name in names}})
    with_actors = '' if actors is None else f' with {actors} actors'
    print(f'{page}{with_actors}, seed {seed}: return {float(last["episode_return"]):.1f}', flush=True)
  with open(out / 'final.csv', 'w', newline='', encoding='utf-8') as file:
    writer = csv.DictWriter(file, finals[0])
    writer.writeheader()
    writer.writerows(finals)
  return runs


if __name__ == '__main__':
  main(tyro.cli(Options, description=__doc__))
