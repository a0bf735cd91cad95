"""One learning step of AWAC (Nair et al. 2020, "AWAC: accelerating online reinforcement learning ...", algorithm 1)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfacme import core, networks, updates
from tfacme.agents.awac.config import AWACConfig
from tfacme.agents.awac.networks import AWACNetworks
from tfacme.losses import regression


class AWACUpdate(tf.Module):
  """Learns the values of the policy's own actions, and a policy that imitates what is better than them.

  Attributes:
    published: the policy.
  """

  def __init__(self, awac_networks: AWACNetworks, config: AWACConfig, action_spec: Any):
    super().__init__(name='awac')
    self._config, self._action_spec = config, action_spec
    self._policy = awac_networks.policy
    self._critics = networks.Ensemble(awac_networks.critics)
    self._targets = updates.Target(self._critics, rate=config.target_update_rate)
    self._critic_optimizer = updates.Adam.of(self._critics, config, config.critic_learning_rate)
    self._policy_optimizer = updates.Adam.of(self._policy, config, config.policy_learning_rate)
    self.published = {'policy': self._policy}

  def __call__(self, batch: core.Batch) -> core.UpdateOutput:
    """Learns from items whose first and last observations count: [B, 2, ...], or [B, T, ...] around a wrapper."""
    transition = updates.n_step_transition(batch, self._config, reward_scale=self._config.reward_scale)
    observation, action = transition.observation, networks.from_environment(transition.action, self._action_spec)
    next_value = self._value(self._targets, transition.next_observation)
    targets = transition.returns + transition.discount * next_value  # Line 6.

    def critic_loss():  # Line 7.
      return tf.reduce_sum(tf.reduce_mean((targets - self._critics(observation, action)) ** 2, axis=1))

    loss, critic_norm = self._critic_optimizer.minimize(critic_loss)
    q, value = tf.reduce_min(self._critics(observation, action), axis=0), self._value(self._critics, observation)
    weights = regression.exponential_weights(q - value, 1.0 / self._config.temperature, self._config.max_weight)

    def imitation_loss():  # Line 8.
      log_prob = networks.evaluate(self._policy, observation).log_prob(action)
      return tf.reduce_mean(regression.weighted_likelihood(log_prob, weights))

    policy_loss, policy_norm = self._policy_optimizer.minimize(imitation_loss)
    self._targets.update()
    networks.update_normalizers(self, batch.steps.observation, updates.is_seen(batch.steps))

    metrics = {
      'loss': loss,
      'policy_loss': policy_loss,
      'q': tf.reduce_mean(q),
      'value': tf.reduce_mean(value),
      'weight': tf.reduce_mean(weights),
      'critic_gradient_norm': critic_norm,
      'policy_gradient_norm': policy_norm,
    }
    return core.UpdateOutput(metrics)

  def _value(self, critics: Any, observation: core.Nest) -> tf.Tensor:
    """The value of states under the policy, [B], by the lowest critic: of a single choice exactly, else of a sample."""
    policy = networks.evaluate(self._policy, observation)
    return networks.expected_value(lambda action: critics(observation, action), policy, self._action_spec)
