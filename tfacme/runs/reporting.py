"""What a run says of itself in a line, before it begins and after it has ended."""

from __future__ import annotations

import math
import os
from typing import Any, Dict, Mapping, Optional

from tfacme import checkpoints, errors, loggers
from tfacme.runs import rounding
from tfacme.workers import counting, observing

_COLUMNS = 5  # of observers that a line names; the log has all


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
  last = _last(workdir, description)
  return '; '.join([_evaluations(last, description) if last else 'No evaluation was made', *where])


def columns(made: Mapping[str, Any]) -> str:
  """What observers and estimators have made: 'normalized_score 62.5, fitted_q 0.9'; nothing of nothing."""
  told = [f'{name} {rounding.number(float(value))}' for name, value in made.items()]
  return errors.listed(told, _COLUMNS) if told else ''


def estimated(workdir: str, description: Mapping[str, Any], observed: Mapping[str, Any]) -> str:
  """What the last evaluation of a run has beside what was observed now: estimates, which take the run's data.

  Args:
    workdir: the folder of the run.
    description: of the run.
    observed: columns that are known.
  """
  for name, row in _last(workdir, description).items():
    made = {column: value for column, value in observing.made(row).items() if column not in observed}
    if made:
      return f'{columns(made)} (estimated by the run, in logs/{name}.csv, after {_steps(row, description)})'
  return ''


def _last(workdir: str, description: Mapping[str, Any]) -> Dict[str, Dict[str, Any]]:
  """The newest row of each evaluation that has been made."""
  names = [evaluation['name'] for evaluation in description['evaluations']]
  rows = {name: loggers.read(os.path.join(workdir, 'logs', f'{name}.csv')) for name in names}
  return {name: own[-1] for name, own in rows.items() if own}


def _steps(row: Mapping[str, Any], description: Mapping[str, Any]) -> str:
  """After which steps of the run an evaluation was made."""
  unit = next(iter(description['budget']))
  return f'{int(float(row[unit])):,} {"environment steps" if unit == "actor_steps" else "learner steps"}'


def _evaluations(last: Mapping[str, Dict[str, Any]], description: Mapping[str, Any]) -> str:
  """The newest rows of all evaluations, by their names; the first is what the run is judged by."""
  (first, row), *others = last.items()
  name = '' if first == 'evaluator' else f' of {first}'
  parts = [f'Evaluation return{name} {_return(row)}', *(f'{other} {_return(row)}' for other, row in others)]
  return f'{", ".join(parts)} after {_steps(row, description)}'


def _return(row: Mapping[str, Any]) -> str:
  value, error = float(row['episode_return']), float(row['episode_return_standard_error'])
  cut, made = int(row['episodes_cut']), columns(observing.made(row))
  kind = 'one episode' if math.isnan(error) else 'standard error'
  more = (kind, f'{errors.counted(cut, "episode")} cut off' if cut else '', made)
  return f'{rounding.with_error(value, error)} ({"; ".join(filter(None, more))})'
