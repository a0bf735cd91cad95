"""One learning step of CRR (Wang et al. 2020, "Critic regularized regression", algorithm 1).

It is the same from single transitions and from sequences, by networks with memory: `experience` has what differs.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfacme import core, networks, updates
from tfacme.agents.crr import experience as experience_lib
from tfacme.agents.crr.config import CRRConfig
from tfacme.agents.crr.networks import CRRNetworks
from tfacme.losses import policy_gradient, regression


class CRRUpdate(tf.Module):
  """Learns a policy that imitates the better of the data's actions, and critics that say which those are.

  Attributes:
    published: the policy.
  """

  def __init__(self, crr_networks: CRRNetworks, config: CRRConfig, action_spec: Any):
    super().__init__(name='crr')
    self._config, self._action_spec = config, action_spec
    self._policy, self._critics = crr_networks.policy, networks.Ensemble(crr_networks.critics)
    self._target_policy = updates.Target.of(self._policy, config)
    self._target_critics = updates.Target.of(self._critics, config)
    self._policy_optimizer = updates.Adam.of(self._policy, config, config.policy_learning_rate)
    self._critic_optimizer = updates.Adam.of(self._critics, config, config.critic_learning_rate)
    self.published = {'policy': self._policy}

  def __call__(self, batch: core.Batch) -> core.UpdateOutput:
    """Learns from items as of `experience.of_transitions`, or with a trace_length of `experience.of_sequences`."""
    make = experience_lib.of_transitions if self._config.trace_length is None else experience_lib.of_sequences
    experience = make(batch, self._config, self._action_spec)
    mean = lambda x: policy_gradient.masked_mean(x, experience.mask)

    now = experience.now
    critics = now.critics(self._critics)
    q = tf.reduce_min(critics(now.action), axis=0)
    value = self._value(now.policy(self._policy), critics)
    weights = self._weights(q - value)
    targets = experience.returns(self._later_value(experience.later))
    counts = experience.followed if self._config.sarsa_targets else tf.ones_like(targets)

    def policy_loss():  # Towards the recorded actions, by their weights.
      log_prob = now.policy(self._policy).log_prob(now.action)
      return mean(regression.weighted_likelihood(log_prob, weights))

    def critic_loss():  # Of each critic to the same targets, where there are such.
      errors = targets - now.critics(self._critics)(now.action)
      return mean(counts * tf.reduce_sum(errors**2, axis=0))

    policy_step = self._policy_optimizer.minimize(policy_loss)
    critic_step = self._critic_optimizer.minimize(critic_loss)
    self._target_policy.update()
    self._target_critics.update()
    networks.update_normalizers(self, batch.steps.observation, experience.seen)

    metrics = {
      'loss': critic_step.value,
      'policy_loss': policy_step.value,
      'q': mean(q),
      'value': mean(value),
      'weight': mean(weights),
      'policy_gradient_norm': policy_step.norm,
      'critic_gradient_norm': critic_step.norm,
    }
    return core.UpdateOutput(metrics)

  def _weights(self, advantages: tf.Tensor) -> tf.Tensor:
    """How much actions count, [...]: the paper's f."""
    config = self._config
    if config.weights == 'indicator':
      return regression.indicator_weights(advantages)
    if config.weights == 'constant':
      return tf.ones_like(advantages)
    return regression.exponential_weights(advantages, 1.0 / config.temperature, config.max_weight)

  def _value(self, distribution: Any, critics: experience_lib.Critics) -> tf.Tensor:
    """The mean value of a policy's actions, [...]: of a single choice over all of them, else over a few samples."""
    return networks.expected_value(critics, distribution, self._action_spec, self._config.action_samples)

  def _later_value(self, later: experience_lib.Rows) -> tf.Tensor:
    """The values in which returns end, by the targets: of the policy's actions, or of those that were taken, [...]."""
    critics = later.critics(self._target_critics.network)
    if self._config.sarsa_targets:
      return tf.reduce_min(critics(later.action), axis=0)
    return self._value(later.policy(self._target_policy.network), critics)
