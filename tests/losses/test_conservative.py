"""What holds values low where there are no data, held to numbers worked by hand."""

import math

import numpy as np
import tensorflow as tf

from tfacme import networks
from tfacme.losses import conservative


def test_the_gap_of_choices_is_a_cross_entropy():
  # exp Q is 1 and 3, which are probabilities of 1/4 and 3/4; an illegal action is none.
  q = tf.constant([[0.0, math.log(3.0), networks.ILLEGAL]] * 2)
  with tf.GradientTape() as tape:
    tape.watch(q)
    gap = conservative.gap_of_choices(q, tf.constant([0, 1], tf.int64))
  np.testing.assert_allclose(gap, [math.log(4.0), math.log(4.0 / 3.0)], rtol=1e-6)
  np.testing.assert_allclose(tape.gradient(gap, q), [[-0.75, 0.75, 0.0], [0.25, -0.25, 0.0]], atol=1e-6)


def test_the_gap_of_samples_divides_by_their_densities():
  # Two critics, one state, two samples. Where exp Q is 1 and 3 and densities are 1/2 and 1, it is the logarithm of
  # (2 + 3) / 2; where it is 2 everywhere, of (4 + 2) / 2.
  q = tf.math.log([[[1.0, 3.0]], [[2.0, 2.0]]])
  log_density = tf.math.log([[0.5, 1.0]])
  with tf.GradientTape() as tape:
    tape.watch([q, log_density])
    gap = conservative.gap_of_samples(q, log_density, tf.constant([[0.5], [2.0]]))
  np.testing.assert_allclose(gap, [[math.log(2.5) - 0.5], [math.log(3.0) - 2.0]], rtol=1e-6)
  slope, through = tape.gradient(gap, [q, log_density])
  np.testing.assert_allclose(slope, [[[0.4, 0.6]], [[2 / 3, 1 / 3]]], rtol=1e-6)
  assert through is None


def test_it_estimates_an_integral():
  # The integral of exp(a) from -1 to 1 is e - 1/e, by uniform samples and by those of a policy.
  policy = networks.TanhGaussian(tf.fill([100_000, 1], 0.3), tf.fill([100_000, 1], 0.5))
  sampled, log_density = policy.sample_and_log_prob(tf.constant([1, 2]))
  uniform = networks.uniform_like(sampled, tf.constant([3, 4]))
  for action, density in [(sampled[:, 0], log_density), (uniform[:, 0], tf.fill([100_000], -math.log(2.0)))]:
    gap = conservative.gap_of_samples(action[tf.newaxis], density, tf.zeros([1]))
    np.testing.assert_allclose(gap, [math.log(math.e - 1 / math.e)], atol=0.01)


def test_values_of_a_policy_are_raised_to_the_returns():
  q = tf.constant([[[-5.0, 1.0, 3.0], [-5.0, 1.0, 3.0]]])
  with tf.GradientTape() as tape:
    tape.watch(q)
    raised = conservative.calibrated(q, tf.constant([2.0, -9.0]), free=1)
  np.testing.assert_allclose(raised, [[[-5.0, 2.0, 3.0], [-5.0, 1.0, 3.0]]])
  np.testing.assert_allclose(tape.gradient(raised, q), [[[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]])
