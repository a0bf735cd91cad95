"""One learning step of behaviour cloning (Pomerleau 1991, "Efficient training of artificial neural networks ...")."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tree

from tfacme import core, networks, specs, updates
from tfacme.agents.bc.config import BCConfig
from tfacme.agents.bc.networks import BCNetworks


class BCUpdate(tf.Module):
  """Learns to imitate recorded actions.

  Attributes:
    published: the policy.
  """

  def __init__(self, bc_networks: BCNetworks, config: BCConfig, action_spec: Any):
    super().__init__(name='bc')
    self._config, self._action_spec = config, action_spec
    self._policy = bc_networks.policy
    self._optimizer = updates.Adam.of(self._policy, config)
    self.published = {'policy': self._policy}

  def __call__(self, batch: core.Batch) -> core.UpdateOutput:
    """Learns from the first rows of items, each of which starts a transition: [B, 2, ...]."""
    observation, action = tf.nest.map_structure(lambda x: x[:, 0], (batch.steps.observation, batch.steps.action))
    action = networks.from_environment(action, self._action_spec)

    def loss():
      distribution = networks.evaluate(self._policy, observation)
      if self._config.loss == 'mse':
        return tf.reduce_mean((distribution.mode() - action) ** 2), distribution
      return -tf.reduce_mean(distribution.log_prob(action)), distribution

    (loss, distribution), norm = self._optimizer.minimize(loss)
    networks.update_normalizers(self, batch.steps.observation)
    errors = [_error(*leaves) for leaves in zip(*map(tree.flatten, (self._action_spec, distribution.mode(), action)))]
    return core.UpdateOutput({'loss': loss, 'error': tf.add_n(errors) / len(errors), 'gradient_norm': norm})


def _error(spec: Any, acted: tf.Tensor, recorded: tf.Tensor) -> tf.Tensor:
  """How far from the recorded actions it acts, []: the share of other choices, or the mean distance (of 2 at most)."""
  return tf.reduce_mean(
    tf.cast(tf.not_equal(acted, recorded), tf.float32) if specs.is_choice(spec) else tf.abs(acted - recorded)
  )
