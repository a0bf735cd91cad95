"""Small tasks that an agent of each kind learns within a minute."""

from __future__ import annotations

import dm_env
import numpy as np
from dm_env import specs as dm_specs


class Reach(dm_env.Environment):
  """A point on a line that is pushed towards a target; episodes of ten steps, cut off and not terminated.

  The observation is the place and the target, the reward minus their distance.
  """

  def __init__(self, seed: int = 0):
    self._random = np.random.default_rng(seed)
    self._place, self._target, self._steps = 0.0, 0.0, 0

  def reset(self) -> dm_env.TimeStep:
    self._place, self._target = self._random.uniform(-1, 1, 2)
    self._steps = 0
    return dm_env.restart(self._observation())

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    self._place += 0.25 * float(np.clip(action[0], -2.0, 2.0))
    self._steps += 1
    make = dm_env.truncation if self._steps == 10 else dm_env.transition
    return make(-abs(self._place - self._target), self._observation())

  def observation_spec(self) -> dm_specs.Array:
    return dm_specs.Array((2,), np.float32, 'place_and_target')

  def action_spec(self) -> dm_specs.BoundedArray:
    return dm_specs.BoundedArray((1,), np.float32, -2.0, 2.0, 'push')

  def _observation(self) -> np.ndarray:
    return np.array([self._place, self._target], np.float32)
