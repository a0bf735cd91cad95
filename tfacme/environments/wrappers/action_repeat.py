"""Each action several times."""

from __future__ import annotations

from typing import Any

import dm_env
import numpy as np
import tree
from dm_env import specs

from tfacme import errors
from tfacme.environments.wrappers import base


class ActionRepeat(base.EnvironmentWrapper):
  """Takes each action `num_repeats` times, or until the episode ends.

  The reward is the sum of the rewards, the discount the product of the discounts, the observation the last one.
  """

  def __init__(self, environment: dm_env.Environment, num_repeats: int):
    """Wraps `environment`; `num_repeats` is at least 1."""
    super().__init__(environment)
    errors.count('num_repeats', num_repeats)
    self._num_repeats = num_repeats

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes up to `num_repeats` steps, or starts an episode if none is going on."""
    timestep = self._environment.step(action)
    if timestep.first() or timestep.last():  # The first of an episode ignores the action: nothing to repeat.
      return timestep
    reward, discount = timestep.reward, timestep.discount
    for _ in range(self._num_repeats - 1):
      timestep = self._environment.step(action)
      reward = reward + timestep.reward
      discount = discount * timestep.discount
      if timestep.last():
        break
    return dm_env.TimeStep(timestep.step_type, reward, discount, timestep.observation)

  def reward_spec(self) -> Any:
    """Describes rewards: sums of 1 to `num_repeats` of the wrapped environment's."""
    return tree.map_structure(self._sum_spec, self._environment.reward_spec())

  def _sum_spec(self, spec: specs.Array) -> specs.Array:
    if not isinstance(spec, specs.BoundedArray):
      return spec
    minimum = np.minimum(spec.minimum, spec.minimum * self._num_repeats)
    maximum = np.maximum(spec.maximum, spec.maximum * self._num_repeats)
    return specs.BoundedArray(spec.shape, spec.dtype, minimum, maximum, spec.name)
