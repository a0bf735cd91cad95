"""Policies that are regressed onto the better actions, held to numbers worked by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfacme.losses import regression


def test_weights_grow_by_e_with_each_unit_of_advantage_over_beta():
  found = regression.exponential_weights(tf.constant([0.0, 1.0, -0.5, 3.0]), 2.0, limit=math.inf)
  np.testing.assert_allclose(found, [1.0, math.e**2, 1 / math.e, math.e**6], rtol=1e-6)


@pytest.mark.parametrize('advantage', [2.0, 1e4])  # e^1e4 is infinite in single precision.
def test_weights_have_a_limit(advantage):
  np.testing.assert_allclose(regression.exponential_weights(tf.constant([advantage]), 3.0, 100.0), [100.0])


def test_without_inverse_temperature_it_is_behaviour_cloning():
  np.testing.assert_allclose(regression.exponential_weights(tf.constant([-9.0, 9.0]), 0.0, 100.0), [1.0, 1.0])


def test_only_what_is_better_counts():
  np.testing.assert_array_equal(regression.indicator_weights(tf.constant([-1.0, 0.0, 0.1])), [0.0, 0.0, 1.0])


def test_it_is_the_likelihood_times_the_weights_which_are_constants():
  log_prob, weights, advantages = tf.constant([-1.0, 0.5]), tf.constant([2.0, 3.0]), tf.constant([0.0, 1.0])
  with tf.GradientTape() as tape:
    tape.watch([log_prob, weights, advantages])
    first = regression.weighted_likelihood(log_prob, weights)
    second = regression.weighted_likelihood(log_prob, regression.exponential_weights(advantages, 1.0, 100.0))
    loss = tf.reduce_sum(first + second)
  np.testing.assert_allclose(first, [2.0, -1.5])
  np.testing.assert_allclose(second, [1.0, -0.5 * math.e], rtol=1e-6)
  slope, *others = tape.gradient(loss, [log_prob, weights, advantages])
  np.testing.assert_allclose(slope, [-2.0 - 1.0, -3.0 - math.e], rtol=1e-6)
  assert others == [None, None]
