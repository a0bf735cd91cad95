"""What tests do with the pages of the documentation: take their blocks, and run them as a reader would."""

from __future__ import annotations

import os
import pathlib
import re
import shlex
import subprocess
import sys
from typing import List, Sequence, Set

from tfacme import cli

ROOT = pathlib.Path(__file__).parent.parent


def blocks(language: str, text: str) -> List[str]:
  """The blocks of code of a page."""
  return re.findall(rf'```{language}\n(.*?)```', text, flags=re.DOTALL)


def run_code(text: str, folder: pathlib.Path) -> str:
  """Runs the Python code of a page, all its blocks as one script, in a folder; returns what it prints."""
  script = folder / 'page.py'
  script.write_text('\n'.join(blocks('python', text)))
  ended = subprocess.run([sys.executable, str(script)], cwd=folder, capture_output=True, text=True, timeout=200)
  assert ended.returncode == 0, ended.stderr
  return ended.stdout


def commands(text: str) -> List[str]:
  """The commands of a page, one a line."""
  return [line for block in blocks('sh', text) for line in block.splitlines() if line.strip()]


def columns(text: str) -> Set[str]:
  """What the tables of a page explain: all that is code in the first cell of a row."""
  return {
    name for cell in re.findall(r'^\|([^|]*)\|', text, flags=re.MULTILINE) for name in re.findall('`(.+?)`', cell)
  }


def measured(agent: str) -> Set[str]:
  """What the page of an agent explains of its learner's columns."""
  page = (ROOT / 'tfacme' / 'agents' / agent / 'README.md').read_text()
  return columns(page.partition('## What it measures')[2].partition('\n## ')[0])


def check_columns(workdir: pathlib.Path, agent: str) -> None:
  """Fails unless a page explains every column of the logs of an agent's run, and that of the agent no other ones."""
  own = measured(agent)
  told = own | columns((ROOT / 'docs' / 'runs.md').read_text())
  logged = {path.stem: path.read_text().partition('\n')[0].split(',') for path in (workdir / 'logs').glob('*.csv')}
  for log, names in logged.items():
    assert set(names) <= told, f'{log}: {set(names) - told}'
  assert own <= set(logged['learner'])


def run(command: str, folder: pathlib.Path, given: str = '', **variables: str) -> subprocess.CompletedProcess[str]:
  """Runs a command in a folder, with the programs of this environment.

  Args:
    command: as a shell takes it.
    folder: where.
    given: to its standard input.
    **variables: of its environment, beside those of this one.
  """
  path = f'{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
  environment = {**os.environ, 'PATH': path, **variables}
  return subprocess.run(
    command, shell=True, cwd=folder, env=environment, input=given, capture_output=True, text=True, timeout=200
  )


def run_commands(lines: Sequence[str], folder: pathlib.Path) -> None:
  """Runs commands in a folder that has the checkout's programs, and fails with the first that does."""
  _link(folder)
  for command in lines:
    _run(command, folder)


def call_commands(lines: Sequence[str], folder: pathlib.Path) -> None:
  """The same, but for those of `tfacme`, which are called in this process: each would import TensorFlow otherwise."""
  _link(folder)
  here = os.getcwd()
  os.chdir(folder)
  try:
    for command in lines:
      name, *arguments = shlex.split(command)
      if name == 'tfacme':
        assert cli.main(arguments) == 0, command
      else:
        _run(command, folder)
  finally:
    os.chdir(here)


def _link(folder: pathlib.Path) -> None:
  for name in ('programs', 'benchmarks'):
    (folder / name).symlink_to(ROOT / name)


def _run(command: str, folder: pathlib.Path) -> None:
  ended = run(command, folder)
  assert ended.returncode == 0, f'{command}\n{ended.stdout}\n{ended.stderr}'
