"""Exploration: actions from values, and noise on actions."""

from __future__ import annotations

import dataclasses
import math
from typing import Union

import tensorflow as tf

from tfacme import configs, core, schedules
from tfacme.networks import masking, randomness


@dataclasses.dataclass(frozen=True)
class EpsilonGreedy:
  """The action of the highest value, and with probability epsilon any legal one.

  Attributes:
    epsilon: of the first slot, a schedule over the environment steps of the run.
    ladder: the exponent of `ladder`; 0 is the same epsilon for all slots.
  """

  epsilon: schedules.Schedule
  ladder: float = 0.0

  @classmethod
  def of(cls, config: configs.EpsilonConfig, evaluation: bool) -> Union[EpsilonGreedy, Greedy]:
    """From a config; an evaluation without epsilon draws nothing."""
    if not evaluation:
      return cls(config.epsilon, config.epsilon_ladder)
    return cls(config.evaluation_epsilon) if config.evaluation_epsilon else Greedy()

  def __call__(self, q: tf.Tensor, context: core.Context) -> tf.Tensor:
    """From values [B, A] to actions, int32 [B]."""
    epsilon = ladder(schedules.value(self.epsilon, context.steps), self.ladder, context)
    return epsilon_greedy(q, epsilon, context.seed)


@dataclasses.dataclass(frozen=True)
class Greedy:
  """The action of the highest value, the first one if there are several: nothing is drawn."""

  def __call__(self, q: tf.Tensor, context: core.Context) -> tf.Tensor:
    """From values [B, A] to actions, int32 [B]."""
    del context
    return tf.argmax(q, axis=1, output_type=tf.int32)


def epsilon_greedy(q: tf.Tensor, epsilon: Union[float, tf.Tensor], seed: tf.Tensor) -> tf.Tensor:
  """The action of the highest value, ties broken at random, and any action with probability epsilon.

  Args:
    q: values [B, A], of any precision; of an illegal action `masking.ILLEGAL`, which is never taken.
    epsilon: share of random actions, [] or [B, 1].
    seed: int32 [2], as of a stateless operation.

  Returns:
    Actions, int32 [B].
  """
  q = tf.cast(q, tf.float32)  # In half of it, half of `ILLEGAL` would be the same as the whole: both are -inf.
  shape = tf.shape(q)
  # One column more than there are actions: it says who explores, and the rest ranks the actions at random.
  noise = tf.random.stateless_uniform([shape[0], shape[1] + 1], seed)
  explores = noise[:, -1:] < epsilon
  # Among the candidates, which are all legal actions or those of the highest value, each is as likely.
  best = tf.reduce_max(q, axis=1, keepdims=True)
  least = tf.where(explores, tf.minimum(masking.ILLEGAL / 2, best), best)
  return tf.argmax(tf.where(q >= least, noise[:, :-1], -1.0), axis=1, output_type=tf.int32)


def ladder(epsilon: tf.Tensor, exponent: float, context: core.Context) -> tf.Tensor:
  """Epsilons [B, 1] that differ between slots (Horgan et al. 2018, section 4.1): epsilon^(1 + alpha i / (N - 1)).

  Args:
    epsilon: of the first slot, [].
    exponent: alpha; 0 is the same epsilon for all, [].
    context: says which slots act, of how many.
  """
  if not exponent:
    return epsilon
  rung = tf.cast(context.index, tf.float32) / tf.cast(tf.maximum(context.slots - 1, 1), tf.float32)
  return (epsilon ** (1.0 + exponent * rung))[:, tf.newaxis]


def uniform_like(action: core.Nest, seed: tf.Tensor) -> core.Nest:
  """Uniformly random actions between -1 and 1, a nest like `action`, which holds real numbers.

  Args:
    action: a nest of real numbers, [B, ...], of which only the shapes count.
    seed: int32 [2], as of a stateless operation.
  """
  leaves = tf.nest.flatten(action)
  shapes = [tf.shape(leaf) for leaf in leaves]
  seeds = [randomness.fold(seed, i) for i in range(len(leaves))]
  uniform = [tf.random.stateless_uniform(shape, own, -1.0, 1.0) for shape, own in zip(shapes, seeds)]
  return tf.nest.pack_sequence_as(action, uniform)


def add_noise(
  action: core.Nest, deviation: Union[float, tf.Tensor], seed: tf.Tensor, limit: float = math.inf
) -> core.Nest:
  """Actions with normal noise, within their bounds.

  It explores around a deterministic policy, and smooths the values of a target policy's actions (Fujimoto et al. 2018,
  section 5.3); there the seed is one of `networks.draw()`.

  Args:
    action: a nest of real numbers between -1 and 1, [B, ...].
    deviation: the standard deviation, [].
    seed: int32 [2], as of a stateless operation.
    limit: the noise is clipped to this size; inf clips none.

  Returns:
    A nest like `action`, clipped to -1 and 1.
  """
  noisy = []
  for i, leaf in enumerate(tf.nest.flatten(action)):
    noise = deviation * tf.random.stateless_normal(tf.shape(leaf), randomness.fold(seed, i))
    noise = tf.clip_by_value(noise, -limit, limit) if math.isfinite(limit) else noise
    noisy.append(tf.clip_by_value(leaf + noise, -1.0, 1.0))
  return tf.nest.pack_sequence_as(action, noisy)
