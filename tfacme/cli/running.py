"""Running an experiment for a user: what `tfacme train` and a user's page have in common."""

from __future__ import annotations

import traceback
from typing import TextIO

from tfacme import errors, experiments


def announce(out: TextIO) -> None:
  """Prints a line before some silent seconds."""
  print('Starting: TensorFlow takes some seconds to import, and half a minute the first time', file=out, flush=True)


def warm_up(launch: str) -> None:
  """Imports what a run in processes needs, and starts what its processes are forked from while it can be a copy."""
  if launch == 'local_mp':
    from tfacme import launching

    launching.warm_up()


def run(
  experiment: experiments.Experiment, workdir: str, launch: str, debug: bool = False, profile: bool = False
) -> None:
  """Runs an experiment to its end.

  Args:
    experiment: what to run.
    workdir: the run's folder, as the user calls it.
    launch: the engine.
    debug: see `tfacme.train`; a mistake shows its traceback too, before the sentence on it.
    profile: see `tfacme.train`.
  """
  import tfacme

  try:
    tfacme.train(experiment, workdir=workdir, launch=launch, debug=debug, profile=profile)
  except errors.UserError as error:
    if debug and error.__cause__ is not None:
      traceback.print_exception(type(error.__cause__), error.__cause__, error.__cause__.__traceback__)
    raise
