"""The policy of DQN: epsilon-greedy."""

from __future__ import annotations

from typing import Tuple

import sonnet as snt
import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import core, schedules
from tfacme.agents.dqn.config import DQNConfig


class DQNPolicy(tf.Module):
  """Takes the action of the highest value, and a random one with probability epsilon."""

  def __init__(self, q: snt.Module, config: DQNConfig, action_spec: dm_specs.DiscreteArray, evaluation: bool):
    super().__init__(name='policy')
    self._q = q
    self._config = config
    self._dtype = tf.as_dtype(action_spec.dtype)
    self._evaluation = evaluation

  def initial_state(self, batch_size: int) -> core.Nest:
    """It has no memory."""
    del batch_size
    return ()

  def __call__(
    self, observation: core.Nest, state: core.Nest, context: core.Context
  ) -> Tuple[tf.Tensor, core.Nest, core.Nest]:
    """From observations [B, ...] to actions [B]."""
    q = self._q(observation)
    shape = tf.shape(q)
    # One column more than there are actions: it says who explores, and the rest ranks the actions at random.
    noise = tf.random.stateless_uniform([shape[0], shape[1] + 1], context.seed)
    explores = noise[:, -1:] < self._epsilon(context)
    best = tf.equal(q, tf.reduce_max(q, axis=1, keepdims=True))
    # Among the candidates, which are all actions or those of the highest value, each is as likely.
    action = tf.argmax(tf.where(explores | best, noise[:, :-1], -1.0), axis=1, output_type=tf.int32)
    return tf.cast(action, self._dtype), state, ()

  def _epsilon(self, context: core.Context) -> tf.Tensor:
    """The share of random actions, [] or [B, 1]."""
    config = self._config
    if self._evaluation:
      return tf.constant(config.evaluation_epsilon)
    epsilon = schedules.value(config.epsilon, context.steps)
    if not config.epsilon_ladder:
      return epsilon
    rung = tf.cast(context.index, tf.float32) / tf.cast(tf.maximum(context.slots - 1, 1), tf.float32)
    return (epsilon ** (1.0 + config.epsilon_ladder * rung))[:, tf.newaxis]  # Horgan et al. 2018, section 4.1.
