"""The policy of SAC: a sample of its distribution, or its mode."""

from __future__ import annotations

from typing import Tuple

import sonnet as snt
import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import core, networks


class SACPolicy(networks.MemorylessPolicy):
  """Samples from the policy's distribution, at first uniformly; an evaluation takes the mode."""

  def __init__(self, policy: snt.Module, random_steps: int, action_spec: dm_specs.BoundedArray, evaluation: bool):
    super().__init__(name='policy')
    self._policy = policy
    self._random_steps = random_steps
    self._action_spec = action_spec
    self._evaluation = evaluation

  def __call__(
    self, observation: core.Nest, state: core.Nest, context: core.Context
  ) -> Tuple[tf.Tensor, core.Nest, core.Nest]:
    """From observations [B, ...] to actions [B, D] within the environment's bounds."""
    distribution = self._policy(observation)
    action = distribution.mode() if self._evaluation else self._explore(distribution, context)
    return networks.to_bounds(action, self._action_spec), state, ()

  def _explore(self, distribution: networks.TanhGaussian, context: core.Context) -> tf.Tensor:
    action = distribution.sample(context.seed)
    if not self._random_steps:
      return action
    anything = tf.random.stateless_uniform(tf.shape(action), context.seed, -1.0, 1.0)
    return tf.where(context.steps < self._random_steps, anything, action)
