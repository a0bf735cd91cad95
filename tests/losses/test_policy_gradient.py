"""Advantages and surrogates, held to numbers worked by hand and to a plain loop."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfacme.losses import policy_gradient


def _advantages(rewards, discounts, values, mask, gamma=0.5, lambda_=0.5):
  arrays = [tf.constant([x], tf.float32) for x in (rewards, discounts, values, mask)]
  return [x.numpy()[0] for x in policy_gradient.generalized_advantages(*arrays, gamma, lambda_)]


def test_advantages_by_hand():
  # delta = (1 + 2 - 2, 2 + 3 - 4) = (1, 1); A_1 = 1, A_0 = 1 + 0.25 * 1.
  advantages, targets = _advantages([1, 2], [1, 1], [2, 4, 6], [1, 1])
  np.testing.assert_allclose(advantages, [1.25, 1.0])
  np.testing.assert_allclose(targets, [3.25, 5.0])


def test_a_termination_bootstraps_from_nothing():
  # Row 0 terminates in row 1, which holds the final observation; row 2 begins anew: delta_2 = 3 + 0.5 * 8 - 1.
  advantages, _ = _advantages([1, 0, 3], [0, 0, 1], [2, 100, 1, 8], [1, 0, 1])
  np.testing.assert_allclose(advantages, [1 - 2, 0, 6])


def test_a_truncation_bootstraps_from_its_final_observation():
  # The same, but cut off: delta_0 = 1 + 0.5 * 100 - 2, and nothing of the next episode comes in.
  advantages, _ = _advantages([1, 0, 3], [1, 0, 1], [2, 100, 1, 8], [1, 0, 1])
  np.testing.assert_allclose(advantages, [49, 0, 6])


@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1))
def test_advantages_are_the_sums_of_their_definition(seed, gamma, lambda_):
  rng = np.random.RandomState(seed)
  rows = rng.randint(1, 8)
  rewards, values = rng.randn(rows), rng.randn(rows + 1)
  mask = rng.choice([0.0, 1.0], p=[0.2, 0.8], size=rows)
  discounts = mask * rng.choice([0.0, 0.5, 1.0], size=rows)
  expected = np.zeros(rows)
  for t in np.flatnonzero(mask):
    factor = 1.0
    for k in range(t, rows):
      if not mask[k]:
        break
      expected[t] += factor * (rewards[k] + gamma * discounts[k] * values[k + 1] - values[k])
      factor *= gamma * lambda_ * discounts[k]
  advantages, targets = _advantages(rewards, discounts, values, mask, gamma, lambda_)
  np.testing.assert_allclose(advantages, expected, atol=1e-4)
  np.testing.assert_allclose(targets, expected + values[:-1], atol=1e-4)


@pytest.mark.parametrize(
  'ratio, advantage, surrogate, slope',
  [(1.1, 2.0, 2.2, 2.2), (1.5, 2.0, 2.4, 0.0), (0.5, 2.0, 1.0, 1.0), (1.5, -2.0, -3.0, -3.0), (0.5, -2.0, -1.6, 0.0)],
)
def test_the_clipped_surrogate(ratio, advantage, surrogate, slope):
  log_ratio, advantages = tf.constant([np.log(ratio)], tf.float32), tf.constant([advantage])
  with tf.GradientTape() as tape:
    tape.watch([log_ratio, advantages])
    found = policy_gradient.clipped_surrogate(log_ratio, advantages, tf.constant(0.2))
  np.testing.assert_allclose(found, [surrogate], rtol=1e-5)
  through_ratio, through_advantages = tape.gradient(found, [log_ratio, advantages])
  np.testing.assert_allclose(through_ratio, [slope], rtol=1e-5)
  assert through_advantages is None


def test_what_is_masked_does_not_count():
  x, mask = tf.constant([1.0, 3.0, 100.0]), tf.constant([1.0, 1.0, 0.0])
  np.testing.assert_allclose(policy_gradient.masked_mean(x, mask), 2.0)
  np.testing.assert_allclose(policy_gradient.standardize(x, mask)[:2], [-1.0, 1.0], rtol=1e-5)
  np.testing.assert_allclose(policy_gradient.masked_mean(x, tf.zeros(3)), 0.0)
