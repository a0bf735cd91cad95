"""One learning step of IQL (Kostrikov et al. 2022, "Offline reinforcement learning with implicit Q-learning")."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfacme import core, networks, updates
from tfacme.agents.iql.config import IQLConfig
from tfacme.agents.iql.networks import IQLNetworks
from tfacme.losses import regression, values


class IQLUpdate(tf.Module):
  """Learns values and a policy from n-step transitions, and asks for the value of no action that is not in them.

  Attributes:
    published: the policy.
  """

  def __init__(self, iql_networks: IQLNetworks, config: IQLConfig, action_spec: Any):
    super().__init__(name='iql')
    self._config, self._action_spec = config, action_spec
    self._policy, self._value = iql_networks.policy, iql_networks.value
    self._critics = networks.Ensemble(iql_networks.critics)
    self._targets = updates.Target(self._critics, rate=config.target_update_rate)
    self._value_optimizer = updates.Adam.of(self._value, config, config.value_learning_rate)
    self._policy_optimizer = updates.Adam.of(self._policy, config, config.policy_learning_rate)
    self._critic_optimizer = updates.Adam.of(self._critics, config, config.critic_learning_rate)
    self.published = {'policy': self._policy}

  def __call__(self, batch: core.Batch) -> core.UpdateOutput:
    """Learns from items whose first and last observations count: [B, 2, ...], or [B, T, ...] around a wrapper."""
    transition = updates.n_step_transition(batch, self._config, reward_scale=self._config.reward_scale)
    transition = transition._replace(action=networks.from_environment(transition.action, self._action_spec))
    q = tf.reduce_min(self._targets(transition.observation, transition.action), axis=0)

    value_loss, value_norm = self._value_optimizer.minimize(lambda: self._value_loss(transition, q))
    value = self._value(transition.observation)
    weights = regression.exponential_weights(q - value, self._config.inverse_temperature, self._config.max_weight)
    policy_loss, policy_norm = self._policy_optimizer.minimize(lambda: self._policy_loss(transition, weights))
    targets = transition.returns + transition.discount * self._value(transition.next_observation)
    critic_loss, critic_norm = self._critic_optimizer.minimize(lambda: self._critic_loss(transition, targets))
    self._targets.update()
    networks.update_normalizers(self, batch.steps.observation, updates.is_seen(batch.steps))

    metrics = {
      'loss': critic_loss,
      'value_loss': value_loss,
      'policy_loss': policy_loss,
      'q': tf.reduce_mean(q),
      'value': tf.reduce_mean(value),
      'weight': tf.reduce_mean(weights),
      'critic_gradient_norm': critic_norm,
      'value_gradient_norm': value_norm,
      'policy_gradient_norm': policy_norm,
    }
    return core.UpdateOutput(metrics)

  def _value_loss(self, transition: updates.Transition, q: tf.Tensor) -> tf.Tensor:
    """Towards an upper expectile of the values of the data's actions (equation 5)."""
    return tf.reduce_mean(values.expectile(q - self._value(transition.observation), self._config.expectile))

  def _critic_loss(self, transition: updates.Transition, targets: tf.Tensor) -> tf.Tensor:
    """Of each critic to the reward and the value of the next state (equation 6)."""
    errors = targets - self._critics(transition.observation, transition.action)
    return tf.reduce_sum(tf.reduce_mean(errors**2, axis=1))

  def _policy_loss(self, transition: updates.Transition, weights: tf.Tensor) -> tf.Tensor:
    """Towards the data's actions, the more the better they are (equation 7)."""
    log_prob = networks.evaluate(self._policy, transition.observation).log_prob(transition.action)
    return tf.reduce_mean(regression.weighted_likelihood(log_prob, weights))
