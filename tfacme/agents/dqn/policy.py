"""The policy of DQN: epsilon-greedy."""

from __future__ import annotations

from typing import Tuple

import sonnet as snt
import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import core, networks
from tfacme.agents.dqn.config import DQNConfig


class DQNPolicy(networks.MemorylessPolicy):
  """Takes the action of the highest value, and a random one with probability epsilon."""

  def __init__(self, q: snt.Module, config: DQNConfig, action_spec: dm_specs.DiscreteArray, evaluation: bool):
    super().__init__(name='policy')
    self._q = q
    self._config = config
    self._dtype = tf.as_dtype(action_spec.dtype)
    self._evaluation = evaluation

  def __call__(
    self, observation: core.Nest, state: core.Nest, context: core.Context
  ) -> Tuple[tf.Tensor, core.Nest, core.Nest]:
    """From observations [B, ...] to actions [B]."""
    epsilon = networks.epsilon(self._config, context, self._evaluation)
    action = networks.epsilon_greedy(self._q(observation), epsilon, context.seed)
    return tf.cast(action, self._dtype), state, ()
