"""Heads of policies: from features to the values of actions, or to a distribution of them."""

from __future__ import annotations

import functools
from typing import Any, Callable, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import sonnet as snt
import tensorflow as tf
import tree

from tfacme import errors, specs
from tfacme.networks import distributions
from tfacme.networks.value_heads import ValueHead

# Within which the logarithm of a deviation that is a function of features is kept, as in the code of SAC's authors.
_LOG_STD = (-20.0, 2.0)


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


class MultiCategoricalHead(snt.Module):
  """From features [B, D] to a distribution of several choices at once."""

  def __init__(self, num_values: Sequence[int], scale: float = 1.0, name: Optional[str] = None):
    """Initializes the head.

    Args:
      num_values: of each choice, how many values it has.
      scale: of its initial weights; a small one makes all values nearly as likely at first.
      name: of the module.
    """
    super().__init__(name)
    self._sizes = [int(size) for size in num_values]
    self._logits = snt.Linear(sum(self._sizes), w_init=snt.initializers.VarianceScaling(scale), name='logits')

  def __call__(self, features: tf.Tensor) -> distributions.MultiCategorical:
    """The distribution, its logits [B, A_n] for each choice."""
    return distributions.MultiCategorical(tuple(tf.split(self._logits(features), self._sizes, axis=-1)))


class JointHead(snt.Module):
  """From features [B, D] to the distribution of a nested action, by a head for each of its parts."""

  def __init__(self, heads: Any, name: Optional[str] = None):
    """Initializes the head.

    Args:
      heads: a nest of heads, each of which returns a distribution.
      name: of the module.
    """
    super().__init__(name)
    self._heads = tree.flatten(heads)
    # As a function: a dict that a module holds becomes a kind of its own.
    self._unflatten = functools.partial(tree.unflatten_as, heads)

  def __call__(self, features: tf.Tensor) -> distributions.Joint:
    """The distribution; the parts are independent, given the features."""
    return distributions.Joint(self._unflatten([head(features) for head in self._heads]))


class PolicyAndValue(NamedTuple):
  """What a network with two heads returns."""

  policy: Any  # a distribution of actions
  value: tf.Tensor  # [B]

  def masked(self, legal: Any) -> PolicyAndValue:
    """The same with illegal actions masked in the policy; see `masking`."""
    return PolicyAndValue(self.policy.masked(legal), self.value)


class PolicyAndValueHead(snt.Module):
  """From features [B, D] to a distribution of actions and a state's value."""

  def __init__(self, action_spec: Any, name: Optional[str] = None):
    super().__init__(name)
    self._policy = distribution_head(action_spec, name='policy')
    self._value = ValueHead(name='value')

  def __call__(self, features: tf.Tensor) -> PolicyAndValue:
    """Both."""
    return PolicyAndValue(self._policy(features), self._value(features))


class GaussianHead(snt.Module):
  """From features [B, F] to normal distributions of D numbers.

  Their deviations are parameters of their own (Schulman et al. 2017), or functions of the features like the means.
  """

  def __init__(
    self,
    size: int,
    scale: float = 1.0,
    initial_log_std: float = 0.0,
    state_dependent: bool = False,
    name: Optional[str] = None,
  ):
    """Initializes the head.

    Args:
      size: D, how many numbers there are.
      scale: of its initial weights; a small one makes all means nearly 0 at first.
      initial_log_std: the logarithm of the standard deviation at first.
      state_dependent: whether the deviations are functions of the features.
      name: of the module.
    """
    super().__init__(name)
    errors.in_range('initial_log_std', initial_log_std)
    init = snt.initializers.VarianceScaling(scale)
    self._mean = snt.Linear(size, w_init=init, name='mean')
    if state_dependent:
      self._log_std = snt.Linear(size, w_init=init, b_init=snt.initializers.Constant(initial_log_std), name='log_std')
    else:
      self._log_std = tf.Variable(tf.fill([size], float(initial_log_std)), name='log_std')

  def __call__(self, features: tf.Tensor) -> distributions.Gaussian:
    """The distribution, its mean and log_std [B, D]."""
    mean = self._mean(features)
    if isinstance(self._log_std, tf.Variable):
      return distributions.Gaussian(mean, tf.broadcast_to(self._log_std, tf.shape(mean)))
    return distributions.Gaussian(mean, tf.clip_by_value(self._log_std(features), *_LOG_STD))


class DeterministicHead(snt.Module):
  """From features [B, F] to vectors in (-1, 1)^D, by a hyperbolic tangent (Lillicrap et al. 2016, section 7)."""

  def __init__(self, size: int, scale: float = 1.0, name: Optional[str] = None):
    """Initializes the head.

    Args:
      size: D, how many numbers there are.
      scale: of its initial weights.
      name: of the module.
    """
    super().__init__(name)
    self._linear = snt.Linear(size, w_init=snt.initializers.VarianceScaling(scale), name='action')

  def __call__(self, features: tf.Tensor) -> distributions.Deterministic:
    """The action [B, D], as a distribution."""
    return distributions.Deterministic(tf.tanh(self._linear(features)))


class TanhGaussianHead(snt.Module):
  """From features [B, F] to a distribution of vectors in (-1, 1)^D (Haarnoja et al. 2018b, appendix C)."""

  def __init__(self, size: int, name: Optional[str] = None):
    super().__init__(name)
    self._linear = snt.Linear(2 * size, name='mean_and_log_std')

  def __call__(self, features: tf.Tensor) -> distributions.TanhGaussian:
    """The distribution, its mean and log_std [B, D]."""
    mean, log_std = tf.split(self._linear(features), 2, axis=-1)
    return distributions.TanhGaussian(mean, tf.clip_by_value(log_std, *_LOG_STD))


class TanhMeanGaussianHead(snt.Module):
  """From features [B, F] to normal distributions around a mean in (-1, 1)^D, as in the code of AWAC and IQL.

  Actions at their bounds have a likelihood, unlike those of a `TanhGaussian`. The deviations are parameters of their
  own, and keep within a range: the likelihood of actions that have no noise would grow without end.
  """

  def __init__(self, size: int, log_std: Tuple[float, float] = (-5.0, 2.0), name: Optional[str] = None):
    """Initializes the head.

    Args:
      size: D, how many numbers there are.
      log_std: the lowest and the highest logarithm of a standard deviation; it starts in the middle.
      name: of the module.
    """
    super().__init__(name)
    low, high = log_std
    errors.in_range('The highest log_std', high, above=low)
    self._low, self._width = float(low), float(high - low)
    self._gaussian = GaussianHead(size)

  def __call__(self, features: tf.Tensor) -> distributions.Gaussian:
    """The distribution, its mean and log_std [B, D]."""
    mean, free = self._gaussian(features)
    # Not clipped, which would leave no gradient to come back by.
    return distributions.Gaussian(tf.tanh(mean), self._low + self._width * tf.sigmoid(free))


def distribution_head(
  action_spec: Any,
  scale: float = 1.0,
  continuous: Optional[Callable[[int], snt.Module]] = None,
  name: Optional[str] = None,
) -> snt.Module:
  """From features [B, D] to a distribution of the actions of a spec, whatever nest it is.

  Args:
    action_spec: of the environment: discrete, several choices, bounded real numbers, or a nest of those, whose
      distribution is a `Joint`.
    scale: of the initial weights of choices; a small one makes all of them nearly as likely at first.
    continuous: makes the head of so many real numbers; None is a `GaussianHead` of the same scale.
    name: of the module.
  """

  def leaf(spec: Any) -> snt.Module:
    if specs.is_discrete(spec):
      return CategoricalHead(spec.num_values, scale, name)
    if specs.is_multi_discrete(spec):
      return MultiCategoricalHead(np.ravel(spec.num_values), scale, name)
    return continuous(specs.size(spec)) if continuous else GaussianHead(specs.size(spec), scale, name=name)

  if specs.is_array(action_spec):
    return leaf(action_spec)
  return JointHead(tree.map_structure(leaf, action_spec), name)
