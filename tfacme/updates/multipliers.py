"""Weights of penalties that are learned: Lagrange multipliers."""

from __future__ import annotations

import math
from typing import Optional

import tensorflow as tf

from tfacme import configs, schedules
from tfacme.losses import multipliers
from tfacme.updates import optimizers

_LIMIT = 1e6  # as in the code of CQL's authors


class Multiplier(tf.Module):
  """The weight of a penalty: a number, or a Lagrange multiplier that brings what it weighs down to a threshold.

  One that is learned is the exponential of a variable, which follows the gradient of its dual problem, and is 1e6 at
  most, so that a threshold that can't be reached makes no infinity of it.
  """

  def __init__(
    self,
    weight: float,
    threshold: Optional[float],
    learning_rate: schedules.Schedule,
    config: configs.OptimizerConfig,
  ):
    """Initializes the weight.

    Args:
      weight: what it is, or where it starts, which then has to be above 0.
      threshold: of what it weighs, for one that is learned; None for a fixed one.
      learning_rate: Adam's step size for its logarithm, a schedule over learner steps.
      config: the rest of Adam.
    """
    super().__init__(name='multiplier')
    self._weight, self._threshold = float(weight), threshold
    if threshold is not None:
      self._log_weight = tf.Variable(math.log(weight), name='log_weight')
      self._optimizer = optimizers.Adam.of([self._log_weight], config, learning_rate)

  def __call__(self) -> tf.Tensor:
    """The weight [], as it now is."""
    return tf.constant(self._weight) if self._threshold is None else tf.exp(self._log_weight)

  def update(self, penalty: tf.Tensor) -> None:
    """Raises a learned weight if the penalty [] is above its threshold, and lowers it if it is below."""
    threshold = self._threshold
    if threshold is not None:
      self._optimizer.minimize(lambda: multipliers.dual_loss(self._log_weight, penalty, threshold))
      self._log_weight.assign(tf.minimum(self._log_weight, math.log(_LIMIT)))
