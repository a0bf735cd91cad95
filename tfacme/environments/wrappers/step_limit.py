"""A limit on the length of episodes."""

from __future__ import annotations

from typing import Any

import dm_env

from tfacme import errors
from tfacme.environments.wrappers import base


class StepLimit(base.EnvironmentWrapper):
  """Truncates episodes after `limit` steps.

  A step that the limit makes the last keeps its discount: the episode was cut off, not over, so that the value of what
  would have come still counts.
  """

  def __init__(self, environment: dm_env.Environment, limit: int):
    """Wraps `environment`; `limit` is in steps and at least 1."""
    super().__init__(environment)
    errors.count('limit', limit)
    self._limit = limit
    self._num_steps = 0
    self._is_truncated = False

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode."""
    self._num_steps = 0
    self._is_truncated = False
    return self._environment.reset()

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step, or starts an episode if none is going on."""
    if self._is_truncated:  # The wrapped environment does not know that its episode has ended.
      return self.reset()
    timestep = self._environment.step(action)
    self._num_steps = 0 if timestep.first() else self._num_steps + 1
    if timestep.last() or self._num_steps < self._limit:
      return timestep
    self._is_truncated = True
    return timestep._replace(step_type=dm_env.StepType.LAST)
