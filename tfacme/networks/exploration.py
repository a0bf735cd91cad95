"""Exploration: actions from values."""

from __future__ import annotations

from typing import Protocol, Union

import tensorflow as tf

from tfacme import core, schedules


class Epsilons(Protocol):
  """What a config says of the share of random actions."""

  @property
  def epsilon(self) -> schedules.Schedule:
    """Of the first slot, over the environment steps of the run."""
    ...

  @property
  def epsilon_ladder(self) -> float:
    """See `ladder`."""
    ...

  @property
  def evaluation_epsilon(self) -> float:
    """Of an evaluation."""
    ...


def epsilon(config: Epsilons, context: core.Context, evaluation: bool) -> tf.Tensor:
  """The share of random actions, [] or [B, 1]."""
  if evaluation:
    return tf.constant(config.evaluation_epsilon)
  return ladder(schedules.value(config.epsilon, context.steps), config.epsilon_ladder, context)


def epsilon_greedy(q: tf.Tensor, epsilon: Union[float, tf.Tensor], seed: tf.Tensor) -> tf.Tensor:
  """The action of the highest value, ties broken at random, and any action with probability epsilon.

  Args:
    q: values [B, A].
    epsilon: share of random actions, [] or [B, 1].
    seed: int32 [2], as of a stateless operation.

  Returns:
    Actions, int32 [B].
  """
  shape = tf.shape(q)
  # One column more than there are actions: it says who explores, and the rest ranks the actions at random.
  noise = tf.random.stateless_uniform([shape[0], shape[1] + 1], seed)
  explores = noise[:, -1:] < epsilon
  best = tf.equal(q, tf.reduce_max(q, axis=1, keepdims=True))
  # Among the candidates, which are all actions or those of the highest value, each is as likely.
  return tf.argmax(tf.where(explores | best, noise[:, :-1], -1.0), axis=1, output_type=tf.int32)


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
