"""The policy of R2D2: epsilon-greedy with memory, on a ladder of epsilons."""

from __future__ import annotations

from typing import Tuple

import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import core, networks
from tfacme.agents.r2d2.config import R2D2Config


class R2D2Policy(tf.Module):
  """Takes the action of the highest value, and a random one with the slot's epsilon.

  Its extras are the `state` before the action.
  """

  def __init__(self, q: networks.Unrollable, config: R2D2Config, action_spec: dm_specs.DiscreteArray, evaluation: bool):
    super().__init__(name='policy')
    self._q = q
    self._config = config
    self._dtype = tf.as_dtype(action_spec.dtype)
    self._evaluation = evaluation

  def initial_state(self, batch_size: int) -> core.Nest:
    """The network's own."""
    return self._q.initial_state(batch_size)

  def __call__(
    self, observation: core.Nest, state: core.Nest, context: core.Context
  ) -> Tuple[tf.Tensor, core.Nest, core.Nest]:
    """From observations [B, ...] and the state before them to actions [B], the next state, and the extras."""
    q, next_state = self._q(observation, state)
    epsilon = networks.epsilon(self._config, context, self._evaluation)
    action = tf.cast(networks.epsilon_greedy(q, epsilon, context.seed), self._dtype)
    return action, next_state, () if self._evaluation else {'state': state}
