"""The loss of a Lagrange multiplier, by hand."""

import math

import numpy as np
import tensorflow as tf

from tfacme.losses import multipliers


def test_the_weight_rises_above_the_threshold():
  # The weight is 2, the penalty 3, the threshold 1: the loss is -2 (3 - 1), and falls by as much as log weight rises.
  log_weight, penalty = tf.Variable(math.log(2.0)), tf.constant(3.0)
  with tf.GradientTape() as tape:
    tape.watch(penalty)
    loss = multipliers.dual_loss(log_weight, penalty, 1.0)
  np.testing.assert_allclose(loss, -4.0, rtol=1e-6)
  slope, through = tape.gradient(loss, [log_weight, penalty])
  np.testing.assert_allclose(slope, -4.0, rtol=1e-6)
  assert through is None
