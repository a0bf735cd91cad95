"""Adam with its schedule and its clipping, held to numbers worked by hand."""

import math

import numpy as np
import tensorflow as tf

from tfacme import updates


def test_its_state_is_there_before_its_first_step():
  parameter = tf.Variable([1.0, 2.0])
  optimizer = updates.Adam([parameter], 0.1)
  before = len(optimizer.variables)
  assert optimizer.steps.numpy() == 0
  np.testing.assert_array_equal(parameter, [1.0, 2.0])
  optimizer.apply([tf.constant([1.0, 1.0])])
  assert len(optimizer.variables) == before
  assert optimizer.steps.numpy() == 1


def test_the_first_steps_by_hand():
  # Gradients (3, 4) of norm 5, clipped to norm 1: g = (0.6, 0.8). Bias-corrected, the first step is g / (|g| + 0.2).
  # The second gradient is zero: m = 0.9 * 0.1 g, v = 0.999 * 0.001 g^2, over 1 - 0.81 and 1 - 0.998001.
  parameter = tf.Variable([1.0, 2.0])
  optimizer = updates.Adam([parameter], (1.0, 0.0, 2), epsilon=0.2, max_gradient_norm=1.0)
  assert optimizer.apply([tf.constant([3.0, 4.0])]).numpy() == 5.0
  first = np.array([1 - 0.6 / 0.8, 2 - 0.8 / 1.0])
  np.testing.assert_allclose(parameter, first, rtol=1e-5)
  assert optimizer.learning_rate.numpy() == 1.0
  optimizer.apply([tf.zeros(2)])
  gradient = np.array([0.6, 0.8])
  root = np.sqrt(0.999 * 0.001 / (1 - 0.999**2)) * gradient
  np.testing.assert_allclose(parameter, first - 0.5 * 0.09 * gradient / 0.19 / (root + 0.2), rtol=1e-4)
  assert optimizer.learning_rate.numpy() == 0.5


def test_a_parameter_that_two_networks_share_is_moved_once():
  shared = tf.Variable([0.0])
  optimizer = updates.Adam([shared, shared], 0.1, epsilon=1.0)
  assert len(optimizer.parameters) == 1
  assert optimizer.apply([tf.constant([3.0])]).numpy() == 3.0


def test_no_norm_clips_nothing():
  parameter = tf.Variable([0.0])
  optimizer = updates.Adam([parameter], 0.1, epsilon=1.0, max_gradient_norm=math.inf)
  assert optimizer.apply([tf.constant([1e6])]).numpy() == 1e6
  np.testing.assert_allclose(parameter, [-0.1], rtol=1e-4)
