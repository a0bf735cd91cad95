"""One learning step of R2D2 (Kapturowski et al. 2019, "Recurrent experience replay in distributed RL", section 2.3)."""

from __future__ import annotations

import functools
from typing import Any

import tensorflow as tf

from tfacme import core, networks, updates
from tfacme.agents.r2d2.config import R2D2Config
from tfacme.agents.r2d2.networks import R2D2Networks
from tfacme.losses import q_learning, values


class R2D2Update(tf.Module):
  """Learns action values from sequences that begin with a stored state.

  Attributes:
    published: the online network, by which the policy acts.
  """

  def __init__(self, r2d2_networks: R2D2Networks, config: R2D2Config, loss: q_learning.SequenceQLoss):
    super().__init__(name='r2d2')
    self._config, self._loss = config, loss
    self._online = r2d2_networks.q
    self._target = updates.Target.of(self._online, config)
    self._optimizer = updates.Adam.of(self._online, config)
    self.published = {'policy': self._online}

  def __call__(self, batch: core.Batch) -> core.UpdateOutput:
    """Learns from items of burn_in + trace_length + 1 rows, [B, T, ...], whose state is that of the first row."""
    config = self._config
    sequences = updates.sequences(batch, config.burn_in)
    steps, mask = sequences.steps, sequences.mask[:, :-1]
    online_state, target_state = (
      sequences.warmed(network, lambda rows: rows.observation, sequences.state)
      for network in (self._online, self._target.network)
    )
    target_q, _ = networks.unroll(self._target.network, steps.observation, target_state, steps.first)
    weights = updates.importance_weights(config, batch.info, self._optimizer.steps)
    sequence = q_learning.Sequence(steps.action[:, :-1], mask, functools.partial(self._targets, steps, mask))

    def weighted_loss():
      q, _ = networks.unroll(self._online, steps.observation, online_state, steps.first)
      losses = q_learning.evaluate(self._loss, q, target_q, sequence)
      return tf.reduce_mean(weights * tf.reduce_sum(mask * losses.loss, axis=1)), losses

    (loss, losses), norm = self._optimizer.minimize(weighted_loss)
    self._target.update()
    networks.update_normalizers(self, batch.steps.observation, updates.is_seen(batch.steps, config))

    errors = mask * losses.errors
    metrics = {
      'loss': loss,
      'td_error': tf.reduce_sum(tf.abs(errors)) / tf.maximum(tf.reduce_sum(mask), 1.0),
      'gradient_norm': norm,
      'learning_rate': self._optimizer.learning_rate.read_value(),
      **losses.metrics,
    }
    return core.UpdateOutput(metrics, updates.sequence_priorities(config, errors, mask, config.max_priority_weight))

  def _targets(self, steps: core.Step, mask: tf.Tensor, bootstrap: tf.Tensor, bonus: Any = 0.0) -> tf.Tensor:
    """The n-step targets [B, trace] that end in these values [B, trace + 1], squashed as they are (section 2.3)."""
    config = self._config
    rewards = values.clip_rewards(steps.reward[:, :-1], config.max_abs_reward) + bonus
    if config.transform_values:
      bootstrap = values.inverse_signed_hyperbolic(bootstrap)
    targets = values.n_step_targets(rewards, steps.discount[:, :-1], bootstrap, mask, config.n_step, config.discount)
    return tf.stop_gradient(values.signed_hyperbolic(targets) if config.transform_values else targets)
