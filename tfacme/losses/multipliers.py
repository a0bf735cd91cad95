"""Losses of Lagrange multipliers: tensors in, tensors out."""

from __future__ import annotations

import tensorflow as tf


def dual_loss(log_weight: tf.Tensor, penalty: tf.Tensor, threshold: float) -> tf.Tensor:
  """The loss [] of a penalty's learned weight (Kumar et al. 2020, appendix F): -weight (penalty - threshold).

  Its gradient raises the weight while the penalty is above the threshold, and lowers it while it is below.

  Args:
    log_weight: [], the variable.
    penalty: [], the mean one; no gradient flows into it.
    threshold: tau.
  """
  return -tf.exp(log_weight) * (tf.stop_gradient(penalty) - threshold)
