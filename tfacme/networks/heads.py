"""Heads: from features to the values of actions, or to a distribution of them."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import sonnet as snt
import tensorflow as tf

from tfacme import specs
from tfacme.networks import distributions


class DuellingHead(snt.Module):
  """Action values as a state's value plus each action's advantage (Wang et al. 2016)."""

  def __init__(self, num_actions: int, name: Optional[str] = None):
    """Initializes the head.

    Args:
      num_actions: A, how many actions there are.
      name: of the module.
    """
    super().__init__(name)
    self._value = snt.Linear(1, name='value')
    self._advantage = snt.Linear(num_actions, name='advantage')

  def __call__(self, features: tf.Tensor) -> tf.Tensor:
    """From features [B, D] to action values [B, A] (equation 9)."""
    advantage = self._advantage(features)
    return self._value(features) + advantage - tf.reduce_mean(advantage, axis=-1, keepdims=True)


def q_head(num_actions: int, duelling: bool = False) -> snt.Module:
  """A linear head from features [B, D] to action values [B, A], duelling or plain."""
  return DuellingHead(num_actions, name='q') if duelling else snt.Linear(num_actions, name='q')


class CategoricalHead(snt.Module):
  """From features [B, D] to a distribution of a discrete action."""

  def __init__(self, num_actions: int, scale: float = 1.0, name: Optional[str] = None):
    """Initializes the head.

    Args:
      num_actions: A, how many actions there are.
      scale: of its initial weights; a small one makes all actions nearly as likely at first.
      name: of the module.
    """
    super().__init__(name)
    self._logits = snt.Linear(num_actions, w_init=snt.initializers.VarianceScaling(scale), name='logits')

  def __call__(self, features: tf.Tensor) -> distributions.Categorical:
    """The distribution, its logits [B, A]."""
    return distributions.Categorical(self._logits(features))


class PolicyAndValue(NamedTuple):
  """What a network with two heads returns."""

  policy: distributions.Categorical
  value: tf.Tensor  # [B]


class PolicyAndValueHead(snt.Module):
  """From features [B, D] to a distribution of a discrete action and a state's value."""

  def __init__(self, num_actions: int, name: Optional[str] = None):
    super().__init__(name)
    self._policy = CategoricalHead(num_actions, name='policy')
    self._value = ValueHead(name='value')

  def __call__(self, features: tf.Tensor) -> PolicyAndValue:
    """Both."""
    return PolicyAndValue(self._policy(features), self._value(features))


class GaussianHead(snt.Module):
  """From features [B, F] to normal distributions of D numbers, with deviations that don't depend on the features."""

  def __init__(self, size: int, scale: float = 1.0, initial_log_std: float = 0.0, name: Optional[str] = None):
    """Initializes the head.

    Args:
      size: D, how many numbers there are.
      scale: of its initial weights; a small one makes all means nearly 0 at first.
      initial_log_std: the logarithm of the standard deviation at first.
      name: of the module.
    """
    super().__init__(name)
    self._mean = snt.Linear(size, w_init=snt.initializers.VarianceScaling(scale), name='mean')
    self._log_std = tf.Variable(tf.fill([size], initial_log_std), name='log_std')

  def __call__(self, features: tf.Tensor) -> distributions.Gaussian:
    """The distribution, its mean and log_std [B, D]."""
    mean = self._mean(features)
    return distributions.Gaussian(mean, tf.broadcast_to(self._log_std, tf.shape(mean)))


class TanhGaussianHead(snt.Module):
  """From features [B, F] to a distribution of vectors in (-1, 1)^D (Haarnoja et al. 2018b, appendix C)."""

  LOG_STD = (-20.0, 2.0)  # within which the logarithm of the deviation is kept, as in the authors' code

  def __init__(self, size: int, name: Optional[str] = None):
    super().__init__(name)
    self._linear = snt.Linear(2 * size, name='mean_and_log_std')

  def __call__(self, features: tf.Tensor) -> distributions.TanhGaussian:
    """The distribution, its mean and log_std [B, D]."""
    mean, log_std = tf.split(self._linear(features), 2, axis=-1)
    return distributions.TanhGaussian(mean, tf.clip_by_value(log_std, *self.LOG_STD))


class ValueHead(snt.Module):
  """From features [B, D] to a state's value [B]."""

  def __init__(self, name: Optional[str] = None):
    super().__init__(name)
    self._value = snt.Linear(1, name='value')

  def __call__(self, features: tf.Tensor) -> tf.Tensor:
    """The values [B]."""
    return self._value(features)[:, 0]


def distribution_head(action_spec: Any, scale: float = 1.0, initial_log_std: float = 0.0) -> snt.Module:
  """From features [B, D] to a distribution of the actions of a spec: `Categorical` or `Gaussian`.

  Args:
    action_spec: of the environment, discrete or a vector.
    scale: of the head's initial weights; a small one makes all actions nearly as likely at first.
    initial_log_std: the logarithm of the standard deviation of continuous actions at first.
  """
  if specs.is_discrete(action_spec):
    return CategoricalHead(action_spec.num_values, scale)
  return GaussianHead(action_spec.shape[0], scale, initial_log_std)
