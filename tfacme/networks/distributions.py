"""Distributions of actions: what a policy's network returns, for acting, learning and evaluating.

They are written out, since a whole package of distributions takes a second to import, which every command would pay.
Each is a named tuple of tensors; a sample is a function of its seed.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Tuple

import tensorflow as tf
from dm_env import specs as dm_specs

_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


class Categorical(NamedTuple):
  """A choice among A actions."""

  logits: tf.Tensor  # [..., A]

  def mode(self) -> tf.Tensor:
    """The likeliest action, int32 [...]."""
    return tf.argmax(self.logits, axis=-1, output_type=tf.int32)

  def sample(self, seed: tf.Tensor) -> tf.Tensor:
    """An action, int32 [...]; `seed` int32 [2], as of a stateless operation."""
    uniform = tf.random.stateless_uniform(tf.shape(self.logits), seed, minval=1e-30)
    return tf.argmax(self.logits - tf.math.log(-tf.math.log(uniform)), axis=-1, output_type=tf.int32)  # Gumbel's trick.

  def log_prob(self, action: tf.Tensor) -> tf.Tensor:
    """The logarithm of the probability of actions, integers of any type [...], [...]."""
    return -tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(action, tf.int32), self.logits)

  def entropy(self) -> tf.Tensor:
    """In nats, [...]."""
    log_probs = tf.nn.log_softmax(self.logits)
    # An action of probability 0 (a logit of -inf) adds nothing, where 0 * -inf would be NaN, and so would its gradient.
    finite = tf.where(tf.math.is_inf(log_probs), tf.zeros_like(log_probs), log_probs)
    return -tf.reduce_sum(tf.exp(log_probs) * finite, axis=-1)


class Gaussian(NamedTuple):
  """Independent normal distributions of D numbers."""

  mean: tf.Tensor  # [..., D]
  log_std: tf.Tensor  # [..., D]

  def mode(self) -> tf.Tensor:
    """The mean, [..., D]."""
    return self.mean

  def sample(self, seed: tf.Tensor) -> tf.Tensor:
    """A vector [..., D], through which gradients flow; `seed` int32 [2], as of a stateless operation."""
    return self.mean + tf.exp(self.log_std) * tf.random.stateless_normal(tf.shape(self.mean), seed)

  def log_prob(self, action: tf.Tensor) -> tf.Tensor:
    """The logarithm of the density of vectors [..., D], [...]."""
    deviation = (action - self.mean) * tf.exp(-self.log_std)
    return tf.reduce_sum(-0.5 * deviation**2 - self.log_std - _HALF_LOG_TWO_PI, axis=-1)

  def entropy(self) -> tf.Tensor:
    """In nats, [...]."""
    return tf.reduce_sum(self.log_std + 0.5 + _HALF_LOG_TWO_PI, axis=-1)


class TanhGaussian(NamedTuple):
  """The hyperbolic tangent of a `Gaussian`: vectors in (-1, 1)^D (Haarnoja et al. 2018b, appendix C)."""

  mean: tf.Tensor  # [..., D], before the tangent
  log_std: tf.Tensor  # [..., D]

  def mode(self) -> tf.Tensor:
    """The tangent of the mean, [..., D]; the density may be higher elsewhere."""
    return tf.tanh(self.mean)

  def sample(self, seed: tf.Tensor) -> tf.Tensor:
    """A vector [..., D], through which gradients flow; `seed` int32 [2], as of a stateless operation."""
    return self.sample_and_log_prob(seed)[0]

  def sample_and_log_prob(self, seed: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
    """A sample [..., D] and the logarithm of its density [...].

    The density is of the noise that was drawn: to get that back from the sample would lose its digits, those beside a
    large mean and those beyond the flat ends of the tangent.
    """
    noise = tf.random.stateless_normal(tf.shape(self.mean), seed)
    before = self.mean + tf.exp(self.log_std) * noise
    log_density = -0.5 * noise**2 - self.log_std - _HALF_LOG_TWO_PI
    # log(1 - tanh(u)^2), equation 21, in a form that does not round to log(0).
    squeezed = 2.0 * (math.log(2.0) - before - tf.nn.softplus(-2.0 * before))
    return tf.tanh(before), tf.reduce_sum(log_density, axis=-1) - tf.reduce_sum(squeezed, axis=-1)

  def log_prob(self, action: tf.Tensor) -> tf.Tensor:
    """The logarithm of the density of vectors [..., D] in [-1, 1]^D; at the ends, of the nearest inside."""
    inside = tf.clip_by_value(action, -1.0 + 1e-6, 1.0 - 1e-6)
    squeezed = tf.math.log1p(-(inside**2))
    return Gaussian(self.mean, self.log_std).log_prob(tf.atanh(inside)) - tf.reduce_sum(squeezed, axis=-1)


def to_bounds(action: tf.Tensor, spec: dm_specs.BoundedArray) -> tf.Tensor:
  """Actions [..., D] in [-1, 1] as the environment takes them: -1 is the lowest and 1 the highest."""
  low, high = tf.constant(spec.minimum, tf.float32), tf.constant(spec.maximum, tf.float32)
  scaled = tf.cast(low + (action + 1.0) * 0.5 * (high - low), tf.as_dtype(spec.dtype))
  return tf.clip_by_value(scaled, spec.minimum, spec.maximum)  # It may be beyond by rounding.


def from_bounds(action: tf.Tensor, spec: dm_specs.BoundedArray) -> tf.Tensor:
  """An environment's actions [..., D] on the scale from -1 to 1."""
  low, high = tf.constant(spec.minimum, tf.float32), tf.constant(spec.maximum, tf.float32)
  return 2.0 * (tf.cast(action, tf.float32) - low) / (high - low) - 1.0
