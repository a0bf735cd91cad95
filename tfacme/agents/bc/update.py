"""One learning step of behaviour cloning (Pomerleau 1991, "Efficient training of artificial neural networks ...")."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfacme import core, networks, specs
from tfacme.agents.bc.config import BCConfig
from tfacme.agents.bc.networks import BCNetworks


class BCUpdate(tf.Module):
  """Learns to do what was done.

  Attributes:
    published: the policy.
  """

  def __init__(self, bc_networks: BCNetworks, config: BCConfig, action_spec: Any):
    super().__init__(name='bc')
    self._config = config
    self._action_spec = action_spec
    self._policy = bc_networks.policy
    self._optimizer = networks.Adam(
      self._policy.trainable_variables, config.learning_rate, config.adam_epsilon, config.max_gradient_norm
    )
    self.published = {'policy': self._policy}

  def __call__(self, batch: core.Batch) -> core.UpdateOutput:
    """Learns from the first rows of items, each of which starts a transition: [B, 2, ...]."""
    observation, action = tf.nest.map_structure(lambda x: x[:, 0], (batch.steps.observation, batch.steps.action))
    if not specs.is_discrete(self._action_spec):
      action = networks.from_bounds(action, self._action_spec)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      tape.watch(self._optimizer.parameters)
      distribution = self._policy(observation)
      if self._config.loss == 'mse':
        loss = tf.reduce_mean((distribution.mode() - action) ** 2)
      else:
        loss = -tf.reduce_mean(distribution.log_prob(action))
    norm = self._optimizer.apply(tape.gradient(loss, self._optimizer.parameters))
    networks.update_normalizers(self, batch.steps.observation)
    # How far from the recorded action it acts: the share of other choices, or the mean distance on the scale of 2.
    if specs.is_discrete(self._action_spec):
      error = tf.cast(tf.not_equal(tf.cast(distribution.mode(), action.dtype), action), tf.float32)
    else:
      error = tf.abs(distribution.mode() - action)
    metrics = {'loss': loss, 'error': tf.reduce_mean(error), 'gradient_norm': norm}
    return core.UpdateOutput(metrics)
