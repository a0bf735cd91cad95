"""`tfacme train --bsuite-results DIR`."""

from __future__ import annotations

import os
from typing import Any

from tfacme import checkpoints, environments, errors
from tfacme.environments import bsuite_results


def recorded(factory: environments.EnvironmentFactory, options: Any, workdir: str) -> environments.EnvironmentFactory:
  """The factory of an environment whose episodes are recorded, as far as the run has one stream of them.

  Args:
    factory: of the environment.
    options: of `tfacme train`.
    workdir: the run's folder.

  Raises:
    errors.UserError: if the run has none or several, or goes on with one.
  """
  layout = options.layout
  if options.learner_steps is not None:
    raise errors.UserError('--bsuite-results records what an actor plays, and a run of --learner-steps has no actors.')
  if layout.actors * layout.slots > 1:
    raise errors.UserError(
      f'--bsuite-results records one stream of episodes, and this run has {layout.actors * layout.slots} at once; set '
      '--actors 1 --slots 1.'
    )
  if checkpoints.latest(os.path.join(workdir, 'checkpoints')) is not None:
    raise errors.UserError(
      f'The run in {workdir} would go on from a checkpoint, and what bsuite records has to be a whole run; give '
      'another --workdir and another --bsuite-results.'
    )
  return bsuite_results.recorded(factory, options.bsuite_results)
