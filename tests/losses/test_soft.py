"""The losses of maximum-entropy learning, held to numbers worked by hand."""

import math

import numpy as np
import tensorflow as tf

from tfacme.losses import soft


def test_the_soft_value_takes_the_smaller_critic():
  q = tf.constant([[1.0, 5.0], [2.0, 3.0]])
  found = soft.value(q, tf.constant([-1.0, 0.5]), tf.constant(0.2))
  np.testing.assert_allclose(found, [1.0 + 0.2, 3.0 - 0.1])


def test_the_temperature_rises_below_the_target_entropy():
  # The entropy is 1, the target 3: the loss is -2 (-1 + 3) = -4, and falls by as much as log alpha rises.
  log_temperature = tf.Variable(math.log(2.0))
  log_prob = tf.constant([-0.5, -1.5])
  with tf.GradientTape() as tape:
    tape.watch(log_prob)
    loss = soft.temperature_loss(log_temperature, log_prob, 3.0)
  np.testing.assert_allclose(loss, -4.0, rtol=1e-6)
  slope, through = tape.gradient(loss, [log_temperature, log_prob])
  np.testing.assert_allclose(slope, -4.0, rtol=1e-6)
  assert through is None
