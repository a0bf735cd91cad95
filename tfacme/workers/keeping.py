"""Policies that a run keeps along the way: those that an evaluation has played with."""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
from typing import Any, Callable, Mapping, Optional, Sequence

from tfacme import errors
from tfacme.workers import export

BEST = 'best'
# A number is a checkpoint, and a dot is in what lies beside a policy while it is replaced.
_NAME = '[A-Za-z][A-Za-z0-9_-]*'
_COUNTS = ('evaluator_episodes', 'actor_steps', 'learner_steps')  # of an evaluation, in its row
_ROW = 'evaluation.json'  # in the folder of a policy: the row of the evaluation that played with it


class Keeper:
  """Writes the policy of an evaluation, as it was evaluated, into a folder of the run: `policy-NAME`."""

  def __init__(self, folder: str, evaluation: str, save: Callable[[str, int], None]):
    """Initializes the keeper.

    Args:
      folder: of the run.
      evaluation: its name.
      save: writes the policy into a new folder, after so many steps of the run.
    """
    self._folder = folder
    self._evaluation = evaluation
    self._save = save

  def keep(self, name: str, row: Mapping[str, Any], steps: int) -> None:
    """Keeps the policy under a name, in the place of what had it before.

    Args:
      name: letters, digits, _ and -, with a letter first; but 'best', which is kept by `keep_if_best` alone.
      row: of the evaluation's log.
      steps: of the run when the evaluation began.
    """
    if name == BEST:
      raise errors.UserError(f'A policy was to be kept as {name!r}, as the run itself keeps one: take another name.')
    self._keep(name, row, steps)

  def keep_if_best(self, row: Mapping[str, Any], steps: int) -> None:
    """Keeps the policy as the best one if no evaluation of the run had a higher mean return, also before a restart."""
    path = kept(self._folder, BEST)
    best = evaluated(export.written(path))
    if best is None or row['episode_return'] > best['episode_return']:
      self._keep(BEST, row, steps)

  def _keep(self, name: str, row: Mapping[str, Any], steps: int) -> None:
    path = kept(self._folder, name)
    partial = f'{path}.{self._evaluation}.partial'  # Other evaluations may keep theirs at the same time.
    self._save(partial, steps)
    # JSON has no NaN.
    plain = {column: None if value != value else value for column, value in row.items()}
    with open(os.path.join(partial, _ROW), 'w', encoding='utf-8') as file:
      json.dump(plain, file, indent=2)
    export.put(partial, path)


def kept(folder: str, name: str) -> str:
  """Where a run keeps the policy of a name."""
  if not re.fullmatch(_NAME, name):
    raise errors.UserError(
      f'A policy was to be kept as {name!r}: make a name of letters, digits, _ and -, that begins with a letter.'
    )
  return os.path.join(folder, f'policy-{name}')


def find(folder: str, name: str) -> str:
  """Where the policy that a run has kept under a name is.

  Raises:
    UserError: there is none.
  """
  path = export.written(kept(folder, name)) if re.fullmatch(_NAME, name) else ''
  if not os.path.isdir(path):
    places = glob.glob(os.path.join(glob.escape(folder), 'policy-*'))
    names = {os.path.basename(export.replaced(place)).removeprefix('policy-') for place in places}
    there = sorted(name for name in names if re.fullmatch(_NAME, name))
    raise errors.unknown(
      'policy', name, there, f'{folder} has kept {errors.listed(there)}; a checkpoint is named by its steps.'
    )
  return path


def keep_logged(folder: str, rows: Sequence[Mapping[str, Any]]) -> None:
  """Removes the kept policies of a run whose evaluations are in none of its logs, as when it goes back in time.

  Args:
    folder: of the run.
    rows: of all its logs.
  """
  logged = {_counts(row) for row in rows if _COUNTS[0] in row}
  for path in glob.glob(os.path.join(glob.escape(folder), 'policy-*')):
    row = evaluated(path)
    if row is None or _counts(row) not in logged:
      shutil.rmtree(path, ignore_errors=True)


def _counts(row: Mapping[str, Any]) -> Sequence[int]:
  """What tells one evaluation of a run from the others."""
  return tuple(int(float(row[name])) for name in _COUNTS)


def evaluated(path: str) -> Optional[Mapping[str, Any]]:
  """The row of the evaluation of a policy that was kept in a folder; None if there is none."""
  try:
    with open(os.path.join(path, _ROW), encoding='utf-8') as file:
      return json.load(file)
  except (FileNotFoundError, json.JSONDecodeError):  # What was killed while it was written is beside its folder.
    return None
