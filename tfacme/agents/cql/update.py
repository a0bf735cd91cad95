"""One learning step of CQL(H) (Kumar et al. 2020, "Conservative Q-learning for offline reinforcement learning")."""

from __future__ import annotations

import math
from typing import Any, Mapping, Tuple

import tensorflow as tf

from tfacme import core, networks, updates
from tfacme.agents import sac
from tfacme.agents.cql.config import CQLConfig
from tfacme.agents.cql.networks import CQLNetworks
from tfacme.losses import conservative


class CQLUpdate(sac.SACUpdate):
  """A learning step of SAC, whose critics minimize a gap too: that between all actions and the recorded one.

  Attributes:
    published: the policy.
  """

  _config: CQLConfig

  def __init__(self, cql_networks: CQLNetworks, config: CQLConfig, action_spec: Any):
    super().__init__(cql_networks, config, action_spec)
    rate = config.conservative_weight_learning_rate
    self._weight = updates.Multiplier(config.conservative_weight, config.gap_threshold, rate, config)

  def __call__(self, batch: core.Batch) -> core.UpdateOutput:
    """Learns from items whose first and last observations count: [B, 2, ...], or [B, T, ...] around a wrapper."""
    output = super().__call__(batch)
    self._weight.update(output.metrics['gap'])  # Appendix F, if it is learned.
    return output

  def _critic_loss(
    self, transition: updates.Transition, targets: tf.Tensor
  ) -> Tuple[tf.Tensor, Mapping[str, tf.Tensor]]:
    """Of each critic to the same target, and its gap (twice equation 4); and metrics."""
    action = networks.from_environment(transition.action, self._action_spec)
    taken, weight = self._critics(transition.observation, action), self._weight()
    samples, log_density = self._samples(transition)
    gap = conservative.gap_of_samples(self._values(transition, samples), log_density, taken)
    loss = tf.reduce_sum(tf.reduce_mean((targets - taken) ** 2 + weight * gap, axis=1))
    metrics = {'q': tf.reduce_mean(taken), 'gap': tf.reduce_mean(gap), 'conservative_weight': weight}
    if self._config.calibrated:
      known = tf.math.is_finite(transition.extras['return_to_go'])
      metrics['known_returns'] = tf.reduce_mean(tf.cast(known, tf.float32))
    return loss, metrics

  def _samples(self, transition: updates.Transition) -> Tuple[core.Nest, tf.Tensor]:
    """N actions of each kind, nests of [B, 3N, D], the uniform ones first; and their log-densities [B, 3N]."""

    def of_policy(observation: core.Nest) -> Tuple[core.Nest, tf.Tensor]:
      distribution = _repeated(self._policy(observation), self._config.action_samples)
      return distribution.sample_and_log_prob(networks.draw())

    first, first_density = of_policy(transition.observation)
    following, following_density = of_policy(transition.next_observation)
    uniform = networks.uniform_like(first, networks.draw())
    uniform_density = tf.fill(tf.shape(first_density), -self._size * math.log(2.0))
    join = lambda *parts: tf.concat(parts, axis=1)
    samples = tf.nest.map_structure(join, uniform, first, following)
    return samples, join(uniform_density, first_density, following_density)

  def _values(self, transition: updates.Transition, samples: core.Nest) -> tf.Tensor:
    """The values that each critic has of sampled actions in the first observations, [K, B, 3N]."""
    count = 3 * self._config.action_samples
    flat = lambda x: tf.reshape(x, [-1, *x.shape[2:]])
    inputs = tf.nest.map_structure(flat, (_repeated(transition.observation, count), samples))
    q = self._critics(*inputs)
    q = tf.reshape(q, [q.shape[0], -1, count])
    if not self._config.calibrated:
      return q
    returns = self._config.reward_scale * transition.extras['return_to_go']
    return conservative.calibrated(q, returns, free=self._config.action_samples)

  def _policy_loss(self, transition: updates.Transition, temperature: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
    """As SAC's, but for first steps in which the recorded actions' likelihood takes the place of values."""
    loss, log_prob = super()._policy_loss(transition, temperature)
    if not self._config.bc_steps:
      return loss, log_prob
    action = networks.from_environment(transition.action, self._action_spec)
    likelihood = self._policy(transition.observation).log_prob(action)
    cloning = tf.reduce_mean(temperature * log_prob - likelihood)
    return tf.where(self._policy_optimizer.steps < self._config.bc_steps, cloning, loss), log_prob


def _repeated(nest: core.Nest, count: int) -> Any:
  """A nest of [B, ...], each part so many times: [B, count, ...]."""
  return tf.nest.map_structure(lambda x: tf.stack([x] * count, axis=1), nest)
