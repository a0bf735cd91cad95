"""One learning step of IMPALA (Espeholt et al. 2018, "IMPALA: scalable distributed deep-RL", section 4.2)."""

from __future__ import annotations

import tensorflow as tf

from tfacme import core, networks
from tfacme.agents.impala.config import IMPALAConfig
from tfacme.agents.impala.networks import IMPALANetworks
from tfacme.losses import policy_gradient, values
from tfacme.losses import vtrace as vtrace_lib


class IMPALAUpdate(tf.Module):
  """Learns a policy and its values from segments of streams that an older policy made.

  Attributes:
    published: the network, by which the policy acts.
  """

  def __init__(self, impala_networks: IMPALANetworks, config: IMPALAConfig):
    super().__init__(name='impala')
    self._config = config
    self._network = impala_networks.policy_and_value
    self._optimizer = networks.Adam(
      self._network.trainable_variables, config.learning_rate, config.adam_epsilon, config.max_gradient_norm
    )
    self.published = {'policy': self._network}

  def __call__(self, batch: core.Batch) -> core.UpdateOutput:
    """Learns from items of unroll_length + 1 rows, [B, T + 1, ...], whose state is that of the first row."""
    config, steps = self._config, batch.steps
    mask, action = batch.mask[:, :-1], steps.action[:, :-1]
    acted = networks.Categorical(steps.extras['logits'][:, :-1])
    state = tf.nest.map_structure(lambda x: x[:, 0], steps.extras['state'])
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      tape.watch(self._optimizer.parameters)
      output, _ = self._network.unroll(steps.observation, state, steps.first)
      policy = networks.Categorical(output.policy.logits[:, :-1])
      log_prob = policy.log_prob(action)

      # The targets of the values and the weighted advantages (equation 1).
      targets, advantages = vtrace_lib.vtrace(
        tf.stop_gradient(log_prob) - acted.log_prob(action),
        values.clip_rewards(steps.reward[:, :-1], config.max_abs_reward),
        config.discount * steps.discount[:, :-1],
        tf.stop_gradient(output.value),
        mask,
        config.clip_rho,
        config.clip_policy_rho,
      )

      # The loss: policy gradient, values, entropy (section 4.2), each a mean over all transitions.
      policy_loss = -policy_gradient.masked_mean(advantages * log_prob, mask)
      value_loss = 0.5 * policy_gradient.masked_mean((targets - output.value[:, :-1]) ** 2, mask)
      entropy = policy_gradient.masked_mean(policy.entropy(), mask)
      loss = policy_loss + config.baseline_cost * value_loss - config.entropy_cost * entropy
    norm = self._optimizer.apply(tape.gradient(loss, self._optimizer.parameters))
    networks.update_normalizers(self, steps.observation)
    metrics = {
      'loss': loss,
      'policy_loss': policy_loss,
      'value_loss': value_loss,
      'entropy': entropy,
      'value': policy_gradient.masked_mean(output.value[:, :-1], mask),
      'gradient_norm': norm,
    }
    return core.UpdateOutput(metrics)
