"""Heads of critics: from features to a value, or to a distribution over values.

The distributions are named tuples of tensors, which can be stacked: an ensemble of critics returns one of them too.
Each has a `mean()`, and a `backup()`: the distribution of a return and the discounted value that follows it, which is
what a critic learns towards, by a loss of `losses.distributional`.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

import sonnet as snt
import tensorflow as tf

from tfacme import errors
from tfacme.networks import distributions, randomness


class ValueHead(snt.Module):
  """From features [B, D] to a value [B]."""

  def __init__(self, name: Optional[str] = None):
    super().__init__(name)
    self._value = snt.Linear(1, name='value')

  def __call__(self, features: tf.Tensor) -> tf.Tensor:
    """The values [B]."""
    return self._value(features)[:, 0]


class DiscreteValues(NamedTuple):
  """A distribution over K fixed values (Bellemare et al. 2017)."""

  logits: tf.Tensor  # [..., K]
  values: tf.Tensor  # [..., K], of each atom

  def mean(self) -> tf.Tensor:
    """[...]."""
    return tf.reduce_sum(tf.nn.softmax(self.logits) * self.values, axis=-1)

  def backup(self, returns: tf.Tensor, discount: tf.Tensor) -> DiscreteValues:
    """Of returns + discount * value, for returns and discounts [...] (Bellemare et al. 2017, section 3)."""
    return DiscreteValues(self.logits, returns[..., tf.newaxis] + discount[..., tf.newaxis] * self.values)


class DiscreteValueHead(snt.Module):
  """From features [B, D] to a distribution over values at even distances (Bellemare et al. 2017, section 4).

  What is worth less than the lowest value or more than the highest is learned as if it were worth that.
  """

  def __init__(self, low: float, high: float, atoms: int = 51, name: Optional[str] = None):
    """Initializes the head.

    Args:
      low: the lowest value.
      high: the highest value.
      atoms: K, how many values there are.
      name: of the module.
    """
    super().__init__(name)
    errors.in_range('The highest value of a critic', high, above=low)
    errors.count('The number of values of a critic', atoms, low=2)
    self._logits = snt.Linear(atoms, name='logits')
    self._values = tf.linspace(float(low), float(high), atoms)

  def __call__(self, features: tf.Tensor) -> DiscreteValues:
    """The distributions of B values."""
    logits = self._logits(features)
    return DiscreteValues(logits, tf.broadcast_to(self._values, tf.shape(logits)))


class Quantiles(NamedTuple):
  """The values of N quantiles of a distribution (Dabney et al. 2018)."""

  values: tf.Tensor  # [..., N]
  fractions: tf.Tensor  # [..., N], the probability that lies below each

  def mean(self) -> tf.Tensor:
    """[...]."""
    return tf.reduce_mean(self.values, axis=-1)

  def backup(self, returns: tf.Tensor, discount: tf.Tensor) -> Quantiles:
    """Of returns + discount * value, for returns and discounts [...], not below 0."""
    return Quantiles(returns[..., tf.newaxis] + discount[..., tf.newaxis] * self.values, self.fractions)


class QuantileHead(snt.Module):
  """From features [B, D] to the values in the middle of N equal parts of probability (Dabney et al. 2018, lemma 2)."""

  def __init__(self, quantiles: int = 32, name: Optional[str] = None):
    """Initializes the head.

    Args:
      quantiles: N.
      name: of the module.
    """
    super().__init__(name)
    errors.count('The number of quantiles of a critic', quantiles)
    self._linear = snt.Linear(quantiles, name='quantiles')
    self._fractions = (tf.range(quantiles, dtype=tf.float32) + 0.5) / quantiles

  def __call__(self, features: tf.Tensor) -> Quantiles:
    """The quantiles of B values."""
    values = self._linear(features)
    return Quantiles(values, tf.broadcast_to(self._fractions, tf.shape(values)))


class GaussianMixture(NamedTuple):
  """A mixture of M normal distributions over a value."""

  logits: tf.Tensor  # [..., M], of the parts' weights
  means: tf.Tensor  # [..., M]
  log_stds: tf.Tensor  # [..., M]

  def mean(self) -> tf.Tensor:
    """[...]."""
    return tf.reduce_sum(tf.nn.softmax(self.logits) * self.means, axis=-1)

  def backup(self, returns: tf.Tensor, discount: tf.Tensor) -> GaussianMixture:
    """Of returns + discount * value, for returns and discounts [...], not below 0.

    Where the discount is 0 the value is certain; its deviation is the least that a head gives.
    """
    returns, discount = returns[..., tf.newaxis], discount[..., tf.newaxis]
    log_stds = tf.maximum(self.log_stds + tf.math.log(discount), _LOG_STD[0])
    return GaussianMixture(self.logits, returns + discount * self.means, log_stds)

  def sample(self, seed: tf.Tensor, count: int) -> tf.Tensor:
    """So many values, [count, ...]; `seed` int32 [2], as of a stateless operation."""
    shape, rank = tf.concat([[count], tf.shape(self.logits)], axis=0), self.logits.shape.rank
    logits, means, log_stds = (tf.broadcast_to(leaf, shape) for leaf in self)
    part = distributions.Categorical(logits).sample(randomness.fold(seed, 0))[..., tf.newaxis]
    chosen = distributions.Gaussian(*(tf.gather(leaf, part, batch_dims=rank) for leaf in (means, log_stds)))
    return chosen.sample(randomness.fold(seed, 1))[..., 0]

  def log_prob(self, value: tf.Tensor) -> tf.Tensor:
    """The logarithm of the density of values [...], [...]."""
    parts = distributions.Gaussian(self.means[..., tf.newaxis], self.log_stds[..., tf.newaxis])
    return tf.reduce_logsumexp(
      tf.nn.log_softmax(self.logits) + parts.log_prob(value[..., tf.newaxis, tf.newaxis]), axis=-1
    )


class GaussianMixtureHead(snt.Module):
  """From features [B, D] to a mixture of normal distributions over a value (Shahriari et al. 2022)."""

  def __init__(self, parts: int = 5, name: Optional[str] = None):
    """Initializes the head.

    Args:
      parts: M.
      name: of the module.
    """
    super().__init__(name)
    errors.count('The number of parts of a critic', parts)
    self._linear = snt.Linear(3 * parts, name='mixture')

  def __call__(self, features: tf.Tensor) -> GaussianMixture:
    """The mixtures of B values."""
    logits, means, log_stds = tf.split(self._linear(features), 3, axis=-1)
    return GaussianMixture(logits, means, tf.clip_by_value(log_stds, *_LOG_STD))


_LOG_STD = (-10.0, 5.0)
