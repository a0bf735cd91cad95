"""One learning step of IMPALA (Espeholt et al. 2018, "IMPALA: scalable distributed deep-RL", section 4.2)."""

from __future__ import annotations

import tensorflow as tf

from tfacme import core, networks, updates
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
    self._optimizer = updates.Adam.of(self._network, config)
    self.published = {'policy': self._network}

  def __call__(self, batch: core.Batch) -> core.UpdateOutput:
    """Learns from items of unroll_length + 1 rows, [B, T + 1, ...], whose state is that of the first row."""
    config, steps = self._config, batch.steps
    mask, (sample, acted) = batch.mask[:, :-1], _rows((steps.extras['sample'], steps.extras['log_prob']))
    state = tf.nest.map_structure(lambda x: x[:, 0], steps.extras['state'])
    mean = lambda x: policy_gradient.masked_mean(x, mask)

    def loss():
      output, _ = networks.unroll(self._network, steps.observation, state, steps.first)
      policy, value = _rows(output.policy), output.value
      log_prob = policy.log_prob(sample)

      # The targets of the values and the weighted advantages (equation 1).
      targets, advantages = vtrace_lib.vtrace(
        tf.stop_gradient(log_prob) - acted,
        values.clip_rewards(steps.reward[:, :-1], config.max_abs_reward),
        config.discount * steps.discount[:, :-1],
        tf.stop_gradient(value),
        mask,
        config.clip_rho,
        config.clip_policy_rho,
      )

      # The loss: policy gradient, values, entropy (section 4.2), each a mean over all transitions.
      policy_loss, entropy = -mean(advantages * log_prob), mean(policy.entropy())
      value_loss = 0.5 * mean((targets - value[:, :-1]) ** 2)
      total = policy_loss + config.baseline_cost * value_loss - config.entropy_cost * entropy
      return total, policy_loss, value_loss, entropy, mean(value[:, :-1])

    losses, norm = self._optimizer.minimize(loss)
    networks.update_normalizers(self, steps.observation)
    names = ('loss', 'policy_loss', 'value_loss', 'entropy', 'value')
    return core.UpdateOutput({**dict(zip(names, losses)), 'gradient_norm': norm})


def _rows(nest: core.Nest) -> core.Nest:
  """All rows but the last of each segment, [B, T, ...]: it is the first of the next one."""
  return tf.nest.map_structure(lambda x: x[:, :-1], nest)
