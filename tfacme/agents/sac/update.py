"""One learning step of SAC (Haarnoja et al. 2018b, "Soft actor-critic algorithms and applications", algorithm 1)."""

from __future__ import annotations

import copy
import math
from typing import Any, Sequence

import numpy as np
import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import core, networks
from tfacme.agents.sac.config import SACConfig
from tfacme.agents.sac.networks import SACNetworks
from tfacme.losses import soft, values


class SACUpdate(tf.Module):
  """Learns a policy and its critics from n-step transitions.

  Attributes:
    published: the policy.
  """

  def __init__(self, sac_networks: SACNetworks, config: SACConfig, action_spec: dm_specs.BoundedArray):
    super().__init__(name='sac')
    self._config = config
    self._action_spec = action_spec
    self._policy = sac_networks.policy
    self._critics = networks.Ensemble(sac_networks.critics)
    self._targets = copy.deepcopy(self._critics)
    self._log_temperature = tf.Variable(math.log(config.initial_temperature), name='log_temperature')
    size = float(np.prod(action_spec.shape))
    self._target_entropy = -size if config.target_entropy is None else config.target_entropy
    self._policy_optimizer = self._adam(self._policy.trainable_variables, config.policy_learning_rate)
    self._critic_optimizer = self._adam(self._critics.trainable_variables, config.critic_learning_rate)
    self._temperature_optimizer = self._adam([self._log_temperature], config.temperature_learning_rate)
    self._seed = networks.next_seed()
    self.published = {'policy': self._policy}

  def __call__(self, batch: core.Batch) -> core.UpdateOutput:
    """Learns from items whose first and last observations count: [B, 2, ...], or [B, T, ...] around a wrapper."""
    observation = tf.nest.map_structure(lambda x: x[:, 0], batch.steps.observation)
    action = networks.from_bounds(batch.steps.action[:, 0], self._action_spec)
    targets = self._critic_targets(batch)

    # The critics: each to the same target (equation 5).
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      tape.watch(self._critic_optimizer.parameters)
      q = self._critics(observation, action)
      critic_loss = 0.5 * tf.reduce_sum(tf.reduce_mean((targets - q) ** 2, axis=1))
    critic_norm = self._critic_optimizer.apply(tape.gradient(critic_loss, self._critic_optimizer.parameters))

    # The policy: towards actions of a high soft value (equation 7, with the sample as in equation 8).
    temperature = self._temperature()
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      tape.watch(self._policy_optimizer.parameters)
      sampled, log_prob = self._policy(observation).sample_and_log_prob(self._noise(1))
      soft_value = soft.value(self._critics(observation, sampled), log_prob, temperature)
      policy_loss = -tf.reduce_mean(soft_value)
    policy_norm = self._policy_optimizer.apply(tape.gradient(policy_loss, self._policy_optimizer.parameters))

    # The temperature (equation 18), and then the targets follow.
    if self._config.temperature is None:
      self._update_temperature(log_prob)
    networks.follow(self._targets, self._critics, self._config.target_update_rate)
    networks.update_normalizers(self, batch.steps.observation)

    metrics = {
      'loss': critic_loss,
      'policy_loss': policy_loss,
      'q': tf.reduce_mean(q),
      'entropy': -tf.reduce_mean(log_prob),
      'temperature': temperature,
      'critic_gradient_norm': critic_norm,
      'policy_gradient_norm': policy_norm,
    }
    return core.UpdateOutput(metrics)

  def _critic_targets(self, batch: core.Batch) -> tf.Tensor:
    """The n-step returns, bootstrapped from the soft value of the last observations (equations 2 and 3), [B]."""
    config, steps = self._config, batch.steps
    rewards = config.reward_scale * steps.reward
    returns, discount = values.n_step_return(rewards, steps.discount, batch.mask, config.n_step, config.discount)
    observation = tf.nest.map_structure(lambda x: x[:, -1], steps.observation)
    action, log_prob = self._policy(observation).sample_and_log_prob(self._noise(0))
    return returns + discount * soft.value(self._targets(observation, action), log_prob, self._temperature())

  def _temperature(self) -> tf.Tensor:
    """What a nat of entropy is worth, []."""
    fixed = self._config.temperature
    return tf.exp(self._log_temperature) if fixed is None else tf.constant(fixed, tf.float32)

  def _update_temperature(self, log_prob: tf.Tensor) -> None:
    with tf.GradientTape() as tape:
      loss = soft.temperature_loss(self._log_temperature, log_prob, self._target_entropy)
    self._temperature_optimizer.apply([tape.gradient(loss, self._log_temperature)])

  def _noise(self, use: int) -> tf.Tensor:
    """The seed, int32 [2], of one of a learning step's samples; a run that goes on draws what it would have drawn."""
    steps = tf.cast(self._policy_optimizer.steps, tf.int32)
    return tf.stack([tf.constant(self._seed, tf.int32), 2 * steps + use])

  def _adam(self, parameters: Sequence[tf.Variable], learning_rate: Any) -> networks.Adam:
    return networks.Adam(parameters, learning_rate, self._config.adam_epsilon)
