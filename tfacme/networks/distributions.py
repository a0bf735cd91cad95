"""Distributions of actions: what a policy's network returns, for acting, learning and evaluating.

They are written out, since a whole package of distributions takes a second to import, which every command would pay.
Each is a named tuple of tensors; a sample is a function of its seed.
"""

from __future__ import annotations

import math
from typing import Any, Callable, List, NamedTuple, Tuple

import tensorflow as tf
import tree

from tfacme.networks import masking, randomness

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

  def masked(self, legal: tf.Tensor) -> Categorical:
    """The same among the actions that are legal, bool [..., A]."""
    none = ~tf.reduce_any(legal, axis=-1, keepdims=True)
    return Categorical(tf.where(legal | none, self.logits, masking.ILLEGAL))


class MultiCategorical(NamedTuple):
  """N independent choices, each with its own number of values."""

  logits: Tuple[tf.Tensor, ...]  # N of them, [..., A_n]

  def mode(self) -> tf.Tensor:
    """The likeliest values, int32 [..., N]."""
    return tf.stack([part.mode() for part in self._parts], axis=-1)

  def sample(self, seed: tf.Tensor) -> tf.Tensor:
    """Values, int32 [..., N]; `seed` int32 [2], as of a stateless operation."""
    return tf.stack([part.sample(randomness.fold(seed, i)) for i, part in enumerate(self._parts)], axis=-1)

  def log_prob(self, action: tf.Tensor) -> tf.Tensor:
    """The logarithm of the probability of values, integers [..., N], [...]."""
    return tf.add_n([part.log_prob(action[..., i]) for i, part in enumerate(self._parts)])

  def entropy(self) -> tf.Tensor:
    """In nats, [...]."""
    return tf.add_n([part.entropy() for part in self._parts])

  def masked(self, legal: tf.Tensor) -> MultiCategorical:
    """The same among the values that are legal, bool [..., sum A_n], one choice after the other."""
    parts = tf.split(legal, [logits.shape[-1] for logits in self.logits], axis=-1)
    return MultiCategorical(tuple(part.masked(own).logits for part, own in zip(self._parts, parts)))

  @property
  def _parts(self) -> List[Categorical]:
    return [Categorical(logits) for logits in self.logits]


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


class Deterministic(NamedTuple):
  """A distribution of one vector of D numbers alone."""

  value: tf.Tensor  # [..., D]

  def mode(self) -> tf.Tensor:
    """The vector, [..., D]."""
    return self.value

  def sample(self, seed: tf.Tensor) -> tf.Tensor:
    """The vector, [..., D], whatever the seed."""
    del seed
    return self.value


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


class Joint(NamedTuple):
  """Independent distributions of the parts of a nested action; actions are nests like `parts`."""

  parts: Any  # a nest of distributions: dicts, tuples, named tuples and lists of them

  def mode(self) -> Any:
    """The mode of each part."""
    return self._each(lambda part: part.mode())

  def sample(self, seed: tf.Tensor) -> Any:
    """A sample of each part; `seed` int32 [2], as of a stateless operation."""
    return self._unflatten([part.sample(own) for part, own in self._seeded(seed)])

  def sample_and_log_prob(self, seed: tf.Tensor) -> Tuple[Any, tf.Tensor]:
    """A sample of each part, and the logarithm of their joint density [...]."""
    samples, log_probs = zip(*[part.sample_and_log_prob(own) for part, own in self._seeded(seed)])
    return self._unflatten(samples), tf.add_n(log_probs)

  def log_prob(self, action: Any) -> tf.Tensor:
    """The logarithm of the joint probability, or density, of nests of actions, [...]."""
    actions = tree.flatten_up_to(self._names, action)
    return tf.add_n([part.log_prob(own) for part, own in zip(self._flat, actions)])

  def entropy(self) -> tf.Tensor:
    """In nats, [...]."""
    return tf.add_n([part.entropy() for part in self._flat])

  def masked(self, legal: Any) -> Joint:
    """The same among the actions that are legal: a nest like `parts`, whose leaves for real numbers do not count."""
    masks = tree.flatten_up_to(self._names, legal)
    choices = (Categorical, MultiCategorical)
    pairs = zip(self._flat, masks, strict=True)
    return Joint(self._unflatten([part.masked(own) if isinstance(part, choices) else part for part, own in pairs]))

  def _each(self, function: Callable[[Any], Any]) -> Any:
    return self._unflatten([function(part) for part in self._flat])

  def _seeded(self, seed: tf.Tensor) -> List[Tuple[Any, tf.Tensor]]:
    return [(part, randomness.fold(seed, i)) for i, part in enumerate(self._flat)]

  def _unflatten(self, values: Any) -> Any:
    return tree.unflatten_as(self._names, list(values))

  @property
  def _names(self) -> Any:
    """The nest with a number in the place of each distribution, which would be taken for a nest itself."""
    return tree.traverse(lambda part: 0 if _is_distribution(part) else None, self.parts)

  @property
  def _flat(self) -> List[Any]:
    return tree.flatten_up_to(self._names, self.parts)


def _is_distribution(part: Any) -> bool:
  # Of its class, since a named tuple of actions may have a field of that name.
  return callable(getattr(type(part), 'mode', None))
