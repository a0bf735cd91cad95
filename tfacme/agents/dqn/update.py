"""One learning step of DQN (Mnih et al. 2015) and its variants, from n-step transitions in prioritized replay."""

from __future__ import annotations

import functools

import tensorflow as tf

from tfacme import configs, core, networks, updates
from tfacme.agents.dqn.networks import DQNNetworks
from tfacme.losses import q_learning


class DQNUpdate(tf.Module):
  """Learns action values from n-step transitions.

  Attributes:
    published: the online network, by which the policy acts.
  """

  def __init__(self, dqn_networks: DQNNetworks, config: configs.QLearningConfig, loss: q_learning.QLoss):
    super().__init__(name='dqn')
    self._config, self._loss = config, loss
    self._online = dqn_networks.q
    self._target = updates.Target.of(self._online, config)
    self._optimizer = updates.Adam.of(self._online, config)
    self.published = {'policy': self._online}

  def __call__(self, batch: core.Batch) -> core.UpdateOutput:
    """Learns from items whose first and last observations count: [B, 2, ...], or [B, T, ...] around a wrapper."""
    transition = updates.n_step_transition(batch, self._config, self._config.max_abs_reward)
    weights = updates.importance_weights(self._config, batch.info, self._optimizer.steps)
    online, target = (functools.partial(networks.evaluate, q) for q in (self._online, self._target))

    def weighted_loss():
      losses = q_learning.evaluate(self._loss, online, target, transition)
      return tf.reduce_mean(weights * losses.loss), losses

    (loss, losses), norm = self._optimizer.minimize(weighted_loss)
    self._target.update()
    networks.update_normalizers(self, batch.steps.observation, updates.is_seen(batch.steps))
    metrics = {
      'loss': loss,
      'td_error': tf.reduce_mean(tf.abs(losses.errors)),
      'gradient_norm': norm,
      'learning_rate': self._optimizer.learning_rate.read_value(),
      **losses.metrics,
    }
    return core.UpdateOutput(metrics, updates.item_priorities(self._config, losses.errors))
