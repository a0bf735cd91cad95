"""One learning step of SAC (Haarnoja et al. 2018b, "Soft actor-critic algorithms and applications", algorithm 1)."""

from __future__ import annotations

import math
from typing import Any, Mapping, Tuple

import tensorflow as tf
import tree

from tfacme import core, networks, specs, updates
from tfacme.agents.sac.config import SACConfig
from tfacme.agents.sac.networks import SACNetworks
from tfacme.losses import soft


class SACUpdate(tf.Module):
  """Learns a policy and its critics from n-step transitions.

  Attributes:
    published: the policy.
  """

  def __init__(self, sac_networks: SACNetworks, config: SACConfig, action_spec: Any):
    super().__init__(name='sac')
    self._config, self._action_spec = config, action_spec
    self._policy = sac_networks.policy
    self._critics = networks.Ensemble(sac_networks.critics)
    self._targets = updates.Target(self._critics, rate=config.target_update_rate)
    self._log_temperature = tf.Variable(math.log(config.initial_temperature), name='log_temperature')
    self._size = float(sum(map(specs.size, tree.flatten(action_spec))))
    self._target_entropy = -self._size if config.target_entropy is None else config.target_entropy
    self._policy_optimizer = updates.Adam.of(self._policy, config, config.policy_learning_rate)
    self._critic_optimizer = updates.Adam.of(self._critics, config, config.critic_learning_rate)
    self._temperature_optimizer = updates.Adam.of([self._log_temperature], config, config.temperature_learning_rate)
    self.published = {'policy': self._policy}

  def __call__(self, batch: core.Batch) -> core.UpdateOutput:
    """Learns from items whose first and last observations count: [B, 2, ...], or [B, T, ...] around a wrapper."""
    transition = updates.n_step_transition(batch, self._config, reward_scale=self._config.reward_scale)
    targets, temperature = self._critic_targets(transition), self._temperature()
    (critic_loss, critic_metrics), critic_norm = self._critic_optimizer.minimize(
      lambda: self._critic_loss(transition, targets)
    )
    (policy_loss, log_prob), policy_norm = self._policy_optimizer.minimize(
      lambda: self._policy_loss(transition, temperature)
    )
    if self._config.temperature is None:  # Equation 18.
      self._temperature_optimizer.minimize(
        lambda: soft.temperature_loss(self._log_temperature, log_prob, self._target_entropy)
      )
    self._targets.update()
    networks.update_normalizers(self, batch.steps.observation, updates.is_seen(batch.steps))

    metrics = {
      'loss': critic_loss,
      'policy_loss': policy_loss,
      **critic_metrics,
      'entropy': -tf.reduce_mean(log_prob),
      'temperature': temperature,
      'critic_gradient_norm': critic_norm,
      'policy_gradient_norm': policy_norm,
    }
    return core.UpdateOutput(metrics)

  def _critic_targets(self, transition: updates.Transition) -> tf.Tensor:
    """The returns, bootstrapped from the soft value of the last observations (equations 2 and 3), [B]."""
    action, log_prob = self._policy(transition.next_observation).sample_and_log_prob(networks.draw())
    q = networks.random_subset(self._targets(transition.next_observation, action), self._config.target_critics)
    temperature = self._temperature() if self._config.backup_entropy else tf.zeros([])
    return transition.returns + transition.discount * soft.value(q, log_prob, temperature)

  def _critic_loss(
    self, transition: updates.Transition, targets: tf.Tensor
  ) -> Tuple[tf.Tensor, Mapping[str, tf.Tensor]]:
    """Of each critic to the same target (equation 5); and metrics."""
    action = networks.from_environment(transition.action, self._action_spec)
    q = self._critics(transition.observation, action)
    return 0.5 * tf.reduce_sum(tf.reduce_mean((targets - q) ** 2, axis=1)), {'q': tf.reduce_mean(q)}

  def _policy_loss(self, transition: updates.Transition, temperature: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
    """Towards actions of a high soft value (equation 7, with the sample as in equation 8); and their log-densities."""
    action, log_prob = self._policy(transition.observation).sample_and_log_prob(networks.draw())
    q = self._critics(transition.observation, action)
    if self._config.target_critics is not None:  # The lowest of many would be too low.
      q = tf.reduce_mean(q, axis=0, keepdims=True)
    return -tf.reduce_mean(soft.value(q, log_prob, temperature)), log_prob

  def _temperature(self) -> tf.Tensor:
    """What a nat of entropy is worth, []."""
    fixed = self._config.temperature
    return tf.exp(self._log_temperature) if fixed is None else tf.constant(fixed, tf.float32)
