"""How long it takes from the command to the first environment step: `inline`, and `local_mp` with four actors, in turn.

python benchmarks/startup.py [--repeats 3]
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import tyro

_ENVIRONMENT = '''
import os, time
from bsuite.environments import catch

class Noting(catch.Catch):
  """Catch that notes when it is first stepped."""

  def step(self, action):
    with open(os.environ['FIRST_STEPS'], 'a') as file:
      file.write(f'{time.time()}\\n')
    self.step = super().step
    return self.step(action)

def make(seed):
  return Noting(seed=seed)
'''


@dataclasses.dataclass(frozen=True)
class Options:
  """What is measured.

  Attributes:
    repeats: how often the two alternate.
  """

  repeats: int = 3


def seconds_to_first_step(*arguments: str) -> float:
  """Runs the command with an environment that notes its first step; seconds from the start of the command to it."""
  with tempfile.TemporaryDirectory() as folder:
    (pathlib.Path(folder) / 'noting.py').write_text(_ENVIRONMENT)
    steps = pathlib.Path(folder) / 'steps'
    command = [sys.executable, '-m', 'tfacme', 'train', 'dqn', '--env', 'noting:make', '--steps', '200']
    begun = time.time()
    subprocess.run(
      [*command, '--evaluation.every', '0', '--evaluators', '0', '--workdir', f'{folder}/run', *arguments],
      cwd=folder,
      env={**os.environ, 'FIRST_STEPS': str(steps)},
      check=True,
      stdout=subprocess.DEVNULL,
    )
    return float(steps.read_text().split()[0]) - begun


def main(options: Options) -> None:
  """Measures and prints."""
  inline, processes = [], []
  for _ in range(options.repeats):
    inline.append(seconds_to_first_step('--launch', 'inline'))
    processes.append(seconds_to_first_step('--launch', 'local_mp', '--actors', '4'))
  print('inline  ', [round(seconds, 1) for seconds in inline])
  print('local_mp', [round(seconds, 1) for seconds in processes])
  print(f'local_mp / inline: {statistics.median(processes) / statistics.median(inline):.2f}')


if __name__ == '__main__':
  main(tyro.cli(Options, description=__doc__))
