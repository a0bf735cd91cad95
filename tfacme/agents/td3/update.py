"""One learning step of TD3 (Fujimoto et al. 2018, "Addressing function approximation error ...", algorithm 1)."""

from __future__ import annotations

from typing import Any, Mapping

import tensorflow as tf

from tfacme import core, networks, updates
from tfacme.agents.td3.config import TD3Config
from tfacme.agents.td3.networks import TD3Networks
from tfacme.losses import deterministic


class TD3Update(tf.Module):
  """Learns a deterministic policy and its critics from n-step transitions.

  Attributes:
    published: the policy.
  """

  def __init__(
    self, td3_networks: TD3Networks, config: TD3Config, action_spec: Any, policy_loss: deterministic.Variant
  ):
    super().__init__(name='td3')
    self._config, self._action_spec, self._policy_loss = config, action_spec, policy_loss
    self._policy, self._critics = td3_networks.policy, networks.Ensemble(td3_networks.critics)
    self._first_critic = td3_networks.critics[0]
    self._target_policy = updates.Target(self._policy, rate=config.target_update_rate)
    self._target_critics = updates.Target(self._critics, rate=config.target_update_rate)
    self._critic_optimizer = updates.Adam.of(self._critics, config, config.critic_learning_rate)
    self._policy_optimizer = updates.Adam.of(self._policy, config, config.policy_learning_rate)
    self._every = updates.Every(config.policy_period)
    self.published = {'policy': self._policy}

  def __call__(self, batch: core.Batch) -> core.UpdateOutput:
    """Learns from items whose first and last observations count: [B, 2, ...], or [B, T, ...] around a wrapper."""
    transition = updates.n_step_transition(batch, self._config)
    taken = networks.from_environment(transition.action, self._action_spec)
    targets = self._critic_targets(transition)

    def critic_loss():
      q = self._critics(transition.observation, taken)
      return tf.reduce_sum(tf.reduce_mean((targets - q) ** 2, axis=1)), q

    (loss, q), norm = self._critic_optimizer.minimize(critic_loss)
    delayed = self._every(lambda: self._policy_step(transition.observation, taken))  # Section 5.2.
    networks.update_normalizers(self, batch.steps.observation, updates.is_seen(batch.steps))
    return core.UpdateOutput({'loss': loss, 'q': tf.reduce_mean(q), 'critic_gradient_norm': norm, **delayed})

  def _critic_targets(self, transition: updates.Transition) -> tf.Tensor:
    """The returns, bootstrapped from the smallest value (section 4.2) of a noisy action (section 5.3), [B]."""
    action = self._target_policy(transition.next_observation).mode()
    if self._config.target_noise:
      noise, limit = self._config.target_noise, self._config.target_noise_limit
      action = networks.add_noise(action, noise, networks.draw(), limit)
    q = self._target_critics(transition.next_observation, action)
    return transition.returns + transition.discount * tf.reduce_min(q, axis=0)

  def _policy_step(self, observation: core.Nest, taken: core.Nest) -> Mapping[str, tf.Tensor]:
    """Towards actions of a high value by the first critic, and the targets follow; returns metrics."""

    def policy_loss():
      action = self._policy(observation).mode()
      q = self._first_critic(observation, action)
      return deterministic.evaluate(self._policy_loss, q, action, taken)

    (loss, metrics), norm = self._policy_optimizer.minimize(policy_loss)
    self._target_policy.update()
    self._target_critics.update()
    return {'policy_loss': loss, 'policy_gradient_norm': norm, **metrics}
