"""What a run says of itself in a line, before it begins and after it has ended."""

from __future__ import annotations

import os
from typing import Any, Dict, Mapping, Optional

from tfacme import checkpoints, loggers
from tfacme.workers import counting


def opening(description: Mapping[str, Any], folder: str) -> str:
  """What runs, where and how: 'dqn on bsuite:catch/0 in runs/catch (inline)'.

  Args:
    description: of the run, as its `experiment.json` has it.
    folder: of the run, as the user calls it.
  """
  return f'{description["agent"]} on {description["environment"]} in {folder} ({description["launch"]})'


def complete(ended: Optional[str]) -> str:
  """That a run is complete; and if it ended before its budget was spent, why, and how it goes on."""
  more = '' if ended is None else f' since {ended}; with a larger budget it goes on'
  return f'Nothing is left to do: the run is complete{more}'


def resuming(checkpoint: Optional[str], budget: int, folder: str) -> str:
  """From where a run goes on that had begun.

  Args:
    checkpoint: from which it resumes, or None.
    budget: its steps.
    folder: as the user calls it.
  """
  if checkpoint is None:
    return f'Starting over in {folder}, whose run wrote no checkpoint'
  steps, counter = checkpoints.manifest(checkpoint)['steps'], os.path.join(checkpoint, 'counter')
  ended = counting.ended_within(counter, budget)
  what = 'its whole budget' if steps >= budget else ended and f'where it ended since {ended}'
  more = f', {what}: it learns from what is left and evaluates' if what else ''
  return f'Resuming from step {steps:,} of {folder}{more}'


def result(workdir: str, description: Mapping[str, Any], ended: Optional[str], folder: str) -> str:
  """The last evaluations, and where everything is.

  Args:
    workdir: the folder of the run.
    description: of the run.
    ended: why it ended before its budget was spent, or None.
    folder: as the user calls it.
  """
  logs = os.path.join(workdir, 'logs')
  where = [f'logs, checkpoints and policy are in {folder}']
  if not loggers.read(os.path.join(logs, 'learner.csv')):
    where.insert(
      0,
      'nothing was learned, since the replay never held as much as the agent waits for, so there is no learner.csv',
    )
  if ended is not None:
    where.insert(0, f'stopped since {ended}')
  names = [evaluation['name'] for evaluation in description['evaluations']]
  rows = {name: loggers.read(os.path.join(logs, f'{name}.csv')) for name in names}
  last = {name: own[-1] for name, own in rows.items() if own}
  return '; '.join([_evaluations(last, description) if last else 'No evaluation was made', *where])


def _evaluations(last: Mapping[str, Dict[str, Any]], description: Mapping[str, Any]) -> str:
  """The newest rows of all evaluations, by their names; the first is what the run is judged by."""
  (first, row), *others = last.items()
  unit = next(iter(description['budget']))
  what = 'environment steps' if unit == 'actor_steps' else 'learner steps'
  name = '' if first == 'evaluator' else f' of {first}'
  parts = [f'Evaluation return{name} {_return(row)}', *(f'{other} {_return(row)}' for other, row in others)]
  return f'{", ".join(parts)} after {int(float(row[unit])):,} {what}'


def _return(row: Mapping[str, Any]) -> str:
  cut = f'; {row["episodes_cut"]} episodes cut off' if int(row['episodes_cut']) else ''
  value, error = float(row['episode_return']), float(row['episode_return_standard_error'])
  return f'{value:.4g} ± {error:.2g} (standard error{cut})'
