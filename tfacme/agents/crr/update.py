"""One learning step of CRR (Wang et al. 2020, "Critic regularized regression", algorithm 1)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfacme import core, networks, updates
from tfacme.agents.crr.config import CRRConfig
from tfacme.agents.crr.networks import CRRNetworks
from tfacme.losses import regression


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
    """Learns from items whose first and last observations count: [B, 2, ...], or [B, T, ...] around a wrapper."""
    transition = updates.n_step_transition(batch, self._config, reward_scale=self._config.reward_scale)
    transition = transition._replace(action=networks.from_environment(transition.action, self._action_spec))
    q = tf.reduce_min(self._critics(transition.observation, transition.action), axis=0)
    value = self._value(self._policy, self._critics, transition.observation)
    weights = self._weights(q - value)
    targets = transition.returns + transition.discount * self._next_value(transition)

    policy_loss, policy_norm = self._policy_optimizer.minimize(lambda: self._policy_loss(transition, weights))
    critic_loss, critic_norm = self._critic_optimizer.minimize(lambda: self._critic_loss(transition, targets))
    self._target_policy.update()
    self._target_critics.update()
    networks.update_normalizers(self, batch.steps.observation)

    metrics = {
      'loss': critic_loss,
      'policy_loss': policy_loss,
      'q': tf.reduce_mean(q),
      'value': tf.reduce_mean(value),
      'weight': tf.reduce_mean(weights),
      'policy_gradient_norm': policy_norm,
      'critic_gradient_norm': critic_norm,
    }
    return core.UpdateOutput(metrics)

  def _weights(self, advantages: tf.Tensor) -> tf.Tensor:
    """How much actions count, [B]: the paper's f."""
    config = self._config
    if config.weights == 'indicator':
      return regression.indicator_weights(advantages)
    inverse_temperature = 0.0 if config.weights == 'constant' else 1.0 / config.temperature
    return regression.exponential_weights(advantages, inverse_temperature, config.max_weight)

  def _value(self, policy: Any, critics: Any, observation: core.Nest) -> tf.Tensor:
    """The mean value of a policy's actions, [B]: of a single choice over all of them, else over a few samples."""
    distribution = networks.evaluate(policy, observation)
    if isinstance(distribution, networks.Categorical):
      return networks.expected_value(critics, distribution, observation)
    samples = [distribution.sample(networks.draw()) for _ in range(self._config.action_samples)]
    actions = [networks.within_bounds(sample, self._action_spec) for sample in samples]
    return tf.reduce_mean([tf.reduce_min(critics(observation, action), axis=0) for action in actions], axis=0)

  def _next_value(self, transition: updates.Transition) -> tf.Tensor:
    """The value of the last observations, by the targets: of the policy's actions, or of those that were taken, [B]."""
    if not self._config.sarsa_targets:
      return self._value(self._target_policy.network, self._target_critics, transition.next_observation)
    action = networks.from_environment(transition.next_action, self._action_spec)
    return tf.reduce_min(self._target_critics(transition.next_observation, action), axis=0)

  def _policy_loss(self, transition: updates.Transition, weights: tf.Tensor) -> tf.Tensor:
    """Towards the data's actions, by their weights."""
    log_prob = networks.evaluate(self._policy, transition.observation).log_prob(transition.action)
    return tf.reduce_mean(regression.weighted_likelihood(log_prob, weights))

  def _critic_loss(self, transition: updates.Transition, targets: tf.Tensor) -> tf.Tensor:
    """Of each critic to the same targets, where there are such."""
    errors = targets - self._critics(transition.observation, transition.action)
    counts = transition.next_weight if self._config.sarsa_targets else tf.ones_like(targets)
    return tf.reduce_sum(tf.reduce_mean(counts * errors**2, axis=1))
