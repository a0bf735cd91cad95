"""Running an experiment for a user: what `tfacme train` and a user's page have in common."""

from __future__ import annotations

import os
import traceback
from typing import Any, List, TextIO

from tfacme import errors, experiments, loggers


def announce(out: TextIO) -> None:
  """Prints a line before some silent seconds."""
  print('Starting: TensorFlow takes some seconds to import, and half a minute the first time', file=out, flush=True)


def warm_up(launch: str) -> None:
  """Starts the processes of a run while this one is busy importing and checking."""
  if launch == 'local_mp':
    from tfacme import launching

    launching.warm_up()


def run(
  experiment: experiments.Experiment, workdir: str, launch: str, debug: bool = False, profile: bool = False
) -> None:
  """Runs an experiment to its end and prints its result in one line.

  Args:
    experiment: what to run.
    workdir: the run's folder, as the user calls it.
    launch: the engine.
    debug: see `tfacme.train`; a mistake shows its traceback too, before the sentence on it.
    profile: see `tfacme.train`.
  """
  import tfacme

  try:
    result = tfacme.train(experiment, workdir=workdir, launch=launch, debug=debug, profile=profile)
  except errors.UserError as error:
    if debug and error.__cause__ is not None:
      traceback.print_exception(type(error.__cause__), error.__cause__, error.__cause__.__traceback__)
    raise
  print(_report(result, experiment.budget, workdir))


def _report(result: Any, budget: experiments.Budget, workdir: str) -> str:
  """The last evaluation, and where everything is: in the folder `workdir`, as the user calls it."""
  logs = os.path.join(result.workdir, 'logs')
  where = f'logs, checkpoints and policy are in {workdir}'
  if not loggers.read(os.path.join(logs, 'learner.csv')):
    where = (
      'nothing was learned, since the replay never held as much as the agent waits for, so there is no learner.csv; '
      f'{where}'
    )
  names = [evaluation['name'] for evaluation in result.description['evaluations']]
  rows: List[Any] = [row for name in names[:1] for row in loggers.read(os.path.join(logs, f'{name}.csv'))]
  if not rows:
    return f'No evaluation was made; {where}'
  last = rows[-1]
  if result.ended is not None:
    where = f'stopped since {result.ended}; {where}'
  value, error = float(last['episode_return']), float(last['episode_return_standard_error'])
  steps = int(float(last[budget.unit]))
  cut = ''
  if int(last['episodes_cut']):
    cut = f'; {last["episodes_cut"]} episodes cut off'
  unit = 'environment steps' if budget.unit == 'actor_steps' else 'learner steps'
  return f'Evaluation return {value:.4g} ± {error:.2g} (standard error{cut}) after {steps:,} {unit}; {where}'
