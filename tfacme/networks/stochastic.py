"""Layers that are random: they draw by `draw()`, so that runs with them repeat."""

from __future__ import annotations

from typing import Optional

import sonnet as snt
import tensorflow as tf

from tfacme import errors
from tfacme.networks import randomness


class Dropout(snt.Module):
  """Sets a share of the features to 0 in learning steps alone (Srivastava et al. 2014)."""

  def __init__(self, rate: float, name: Optional[str] = None):
    """Initializes the layer.

    Args:
      rate: the share, in [0, 1); the rest is scaled up, so that the mean stays.
      name: of the module.
    """
    super().__init__(name)
    errors.in_range('The rate of dropout', rate, low=0, high=1 - 1e-6)
    self._rate = rate

  def __call__(self, features: tf.Tensor) -> tf.Tensor:
    """From features [B, D] to features [B, D]."""
    if not self._rate or randomness.phase() is not randomness.Phase.LEARNING:
      return features
    kept = tf.random.stateless_uniform(tf.shape(features), randomness.draw()) >= self._rate
    return tf.where(kept, features / (1.0 - self._rate), 0.0)


class NoisyLinear(snt.Module):
  """A linear layer whose weights are noisy, by as much as is learned (Fortunato et al. 2018, section 3.1, factorised).

  A batch shares one noise, which differs from call to call. In an evaluation there is none.
  """

  def __init__(self, output_size: int, initial_noise: float = 0.5, name: Optional[str] = None):
    """Initializes the layer.

    Args:
      output_size: D, features that it gives.
      initial_noise: sigma_0, of which the deviation of each weight is 1 / sqrt(inputs) at first.
      name: of the module.
    """
    super().__init__(name)
    self._output_size, self._initial_noise = output_size, initial_noise

  @snt.once
  def _create(self, features: tf.Tensor) -> None:
    size = features.shape[-1]
    bound = 1.0 / size**0.5
    uniform = snt.initializers.RandomUniform(-bound, bound)
    noise = snt.initializers.Constant(self._initial_noise * bound)
    self.w = tf.Variable(uniform([size, self._output_size], tf.float32), name='w')
    self.b = tf.Variable(uniform([self._output_size], tf.float32), name='b')
    self.w_noise = tf.Variable(noise([size, self._output_size], tf.float32), name='w_noise')
    self.b_noise = tf.Variable(noise([self._output_size], tf.float32), name='b_noise')

  def __call__(self, features: tf.Tensor) -> tf.Tensor:
    """From features [B, F] to features [B, D]."""
    self._create(features)
    if randomness.phase() is randomness.Phase.EVALUATION:
      return features @ self.w + self.b
    inputs, outputs = _signed_roots(features.shape[-1]), _signed_roots(self._output_size)
    weights = self.w + self.w_noise * inputs[:, tf.newaxis] * outputs
    return features @ weights + self.b + self.b_noise * outputs


def _signed_roots(size: int) -> tf.Tensor:
  """f(x) = sign(x) sqrt(|x|) of normal noise [size] (equation 10)."""
  noise = tf.random.stateless_normal([size], randomness.draw())
  return tf.sign(noise) * tf.sqrt(tf.abs(noise))
