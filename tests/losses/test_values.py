"""Hand-worked numbers for the losses of action values."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfacme.losses import values


def _n_step(rewards, discounts, mask, n, gamma):
  returns, discount = values.n_step_return(*(tf.constant(x, tf.float32) for x in (rewards, discounts, mask)), n, gamma)
  return returns.numpy(), discount.numpy()


@pytest.mark.parametrize(
  'rewards, discounts, mask, n, returns, discount',
  [
    pytest.param(
      [1, 2, 4, 9], [1, 1, 1, 1], [1, 1, 1, 1], 3, 1 + 1 + 1, 0.125, id='goes on, the last row is not summed'
    ),
    pytest.param([1, 2, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], 3, 2, 0, id='terminated, then padding'),
    pytest.param([1, 2, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], 3, 2, 0.25, id='truncated after 2 of 3 steps, then padding'),
    pytest.param([1, 2, 4, 0], [1, 1, 1, 0], [1, 1, 1, 0], 3, 3, 0.125, id='truncated after all 3 steps'),
    pytest.param([1, 2, 4, 0], [1, 0.5, 1, 0], [1, 1, 1, 0], 3, 1 + 1 + 0.25 * 0.5 * 4, 0.0625, id='partial discount'),
    pytest.param([3, 9], [0.5, 9], [1, 1], 1, 3, 0.25, id='one step'),
    pytest.param([9, 9], [9, 9], [0, 1], 1, 0, 1, id='nothing real'),
    pytest.param([1, 9, 4, 0], [1, 9, 1, 0], [1, 0, 1, 1], 3, 1, 0.5, id='real rows after an end do not count'),
  ],
)
def test_n_step_return_by_hand(rewards, discounts, mask, n, returns, discount):
  found = _n_step([rewards], [discounts], [mask], n, gamma=0.5)
  np.testing.assert_allclose(found, [[returns], [discount]])


def _loop(rewards, discounts, mask, n, gamma):
  """The definition, row by row."""
  returns, discount = 0.0, 1.0
  for k in range(n):
    if not mask[k]:
      break
    returns += discount * rewards[k]
    discount *= gamma * discounts[k]
  return returns, discount


_numbers = st.floats(-10, 10, width=32)
_row = st.tuples(_numbers, st.sampled_from([0.0, 0.5, 1.0]), st.booleans())


@settings(deadline=None, max_examples=100)
@given(
  items=st.integers(1, 6).flatmap(lambda t: st.lists(st.lists(_row, min_size=t, max_size=t), min_size=1, max_size=4)),
  gamma=st.floats(0, 1),
  data=st.data(),
)
def test_n_step_return_is_the_plain_loop(items, gamma, data):
  rewards, discounts, mask = np.moveaxis(np.array(items), -1, 0)
  n = data.draw(st.integers(1, rewards.shape[1]))
  expected = np.transpose([_loop(*rows, n, gamma) for rows in zip(rewards, discounts, mask)])
  np.testing.assert_allclose(_n_step(rewards, discounts, mask, n, gamma), expected, rtol=1e-4, atol=1e-4)


def test_n_step_return_ignores_what_is_not_real():
  returns, discount = _n_step([[1, math.nan]], [[1, math.nan]], [[1, 0]], n=2, gamma=0.5)
  np.testing.assert_allclose([returns, discount], [[1], [0.5]])


@pytest.mark.parametrize('compiled', [False, True])
def test_double_q_learning_by_hand(compiled):
  function = tf.function(values.double_q_learning) if compiled else values.double_q_learning
  errors = function(
    q=tf.constant([[1.0, 2.0], [3.0, 4.0]]),
    action=tf.constant([0, 1]),
    returns=tf.constant([0.5, 1.0]),
    discount=tf.constant([0.9, 0.0]),
    next_value=tf.constant([[10.0, 20.0], [30.0, 40.0]]),
    next_selector=tf.constant([[2.0, 1.0], [1.0, 2.0]]),
  )
  np.testing.assert_allclose(errors, [0.5 + 0.9 * 10 - 1, 1 - 4], rtol=1e-6)


@pytest.mark.parametrize('dtype', [tf.int16, tf.int32, tf.int64, tf.uint8])
def test_double_q_learning_has_no_gradient_into_its_target(dtype):
  q, target, selector = (tf.constant([[1.0, 2.0]]) for _ in range(3))
  with tf.GradientTape() as tape:
    tape.watch([q, target, selector])
    errors = values.double_q_learning(q, tf.constant([1], dtype), tf.ones([1]), tf.ones([1]), target, selector)
  gradients = tape.gradient(errors, [q, target, selector])
  np.testing.assert_allclose(gradients[0], [[0, -1]])
  assert gradients[1:] == [None, None]


def test_huber_by_hand():
  x = tf.constant([0.0, 1.0, -2.0, 3.0, -5.0])
  with tf.GradientTape() as tape:
    tape.watch(x)
    loss = values.huber(x, 2.0)
  np.testing.assert_allclose(loss, [0, 0.5, 2, 4, 8])
  np.testing.assert_allclose(tape.gradient(loss, x), [0, 1, -2, 2, -2])


def test_huber_without_a_bound_is_a_square():
  np.testing.assert_allclose(values.huber(tf.constant([-3.0, 0.0, 4.0]), math.inf), [4.5, 0, 8])


def test_importance_weights_by_hand():
  # N P = 2, 0.5, 1, to the power -1/2: 0.707, 1.414, 1; the largest is 1.414.
  weights = values.importance_weights(tf.constant([0.2, 0.05, 0.1]), tf.constant([10, 10, 10], tf.int64), 0.5)
  np.testing.assert_allclose(weights, [0.5, 1, 1 / math.sqrt(2)], rtol=1e-6)


def test_importance_weights_of_uniform_sampling_are_one():
  weights = values.importance_weights(tf.constant([0.1, 0.05]), tf.constant([10, 20]), tf.constant(0.7))
  np.testing.assert_allclose(weights, [1, 1], rtol=1e-6)


def test_importance_weights_of_tiny_probabilities_are_finite():
  weights = values.importance_weights(tf.constant([1e-30, 1.0]), tf.constant([10, 10]), tf.constant(1.0))
  np.testing.assert_allclose(weights, [1, 1e-30], rtol=1e-5)


def _n_step_targets(rewards, discounts, sequence_values, mask, n, gamma=0.5):
  arrays = [tf.constant([x], tf.float32) for x in (rewards, discounts, sequence_values, mask)]
  return values.n_step_targets(*arrays, n, gamma).numpy()[0]


def test_n_step_targets_by_hand():
  # Two steps each, and one from the last row but one: 1 + 0.5 * 2 + 0.25 * 8; 2 + 0.5 * 3 + 0.25 * 16; 3 + 0.5 * 16.
  np.testing.assert_allclose(_n_step_targets([1, 2, 3], [1, 1, 1], [9, 9, 8, 16], [1, 1, 1], 2), [4, 7.5, 11])


def test_n_step_targets_end_with_their_episode():
  # Row 1 is the final observation, row 2 its padding, whose value must not come in; first cut off, then terminated.
  np.testing.assert_allclose(_n_step_targets([1, 0, 0], [1, 0, 0], [9, 8, 99, 99], [1, 0, 0], 3), [5, 8, 99])
  np.testing.assert_allclose(_n_step_targets([1, 0, 0], [0, 0, 0], [9, 8, 99, 99], [1, 0, 0], 3), [1, 8, 99])


@given(st.integers(0, 10_000), st.integers(1, 6))
def test_n_step_targets_are_n_step_returns_from_each_row(seed, n):
  rng = np.random.RandomState(seed)
  rewards, sequence_values = rng.randn(7), rng.randn(8)
  mask = (np.arange(7) < rng.randint(1, 8)).astype(np.float32)
  discounts = mask * rng.choice([0.0, 0.5, 1.0], size=7)
  found = _n_step_targets(rewards, discounts, sequence_values, mask, n)
  for t in range(7):
    window = [np.pad(x[t:], (0, n))[np.newaxis, :n].astype(np.float32) for x in (rewards, discounts, mask)]
    returns, discount = values.n_step_return(*map(tf.constant, window), n, 0.5)
    steps = int(window[2].sum())
    np.testing.assert_allclose(found[t], returns[0] + discount[0] * sequence_values[t + steps], rtol=1e-4, atol=1e-4)


def test_the_signed_hyperbolic_by_hand():
  x = tf.constant([-8.0, 0.0, 3.0])
  np.testing.assert_allclose(values.signed_hyperbolic(x, 0.01), [-2.08, 0.0, 1.03], rtol=1e-5)


@given(st.floats(-1e4, 1e4))
def test_the_inverse_of_the_signed_hyperbolic(x):
  there = values.signed_hyperbolic(tf.constant(x, tf.float64))
  np.testing.assert_allclose(values.inverse_signed_hyperbolic(there), x, rtol=1e-6, atol=1e-6)


def test_the_signed_hyperbolic_keeps_its_digits_in_single_precision():
  x = np.concatenate([[0.0], np.logspace(-12, 6, 400)])
  x = np.concatenate([x, -x]).astype(np.float32)
  exact = np.sign(x) * np.float64(np.sqrt(np.abs(x).astype(np.longdouble) + 1) - 1) + 1e-3 * x.astype(np.float64)
  np.testing.assert_allclose(values.signed_hyperbolic(tf.constant(x)), exact, rtol=4e-7)
  size = np.abs(x).astype(np.longdouble)
  root = np.sqrt(1 + 4e-3 * (size + 1 + 1e-3))
  z = 2 * (size + 1 + 1e-3) / (1 + root)
  exact = np.sign(x) * np.float64((z - 1) * (z + 1))
  np.testing.assert_allclose(values.inverse_signed_hyperbolic(tf.constant(x)), exact, rtol=7e-7)


@pytest.mark.parametrize('x', [0.0, 1e-4, -3.0, 50.0])
def test_the_slopes_of_the_signed_hyperbolic_and_its_inverse(x):
  there = tf.constant(x)
  with tf.GradientTape(persistent=True) as tape:
    tape.watch(there)
    squashed = values.signed_hyperbolic(there)
    back = values.inverse_signed_hyperbolic(squashed)
  np.testing.assert_allclose(tape.gradient(squashed, there), 0.5 / np.sqrt(abs(x) + 1) + 1e-3, rtol=1e-6)
  np.testing.assert_allclose(tape.gradient(back, there), 1.0, rtol=1e-5)


def test_expectile_by_hand():
  # |0.7 - [u < 0]| u^2.
  np.testing.assert_allclose(values.expectile(tf.constant([2.0, -2.0, 0.0]), 0.7), [2.8, 1.2, 0.0], rtol=1e-6)


@pytest.mark.parametrize('fraction, expectile', [(0.5, 1.0), (0.75, 1.8)])
def test_the_minimum_of_the_loss_is_an_expectile(fraction, expectile):
  # Of targets 0, 0, 3: (1 - tau) 2 m = tau (3 - m), so m = 3 tau / (2 - tau); 1 is the mean.
  estimate = tf.Variable(expectile)
  with tf.GradientTape() as tape:
    loss = tf.reduce_sum(values.expectile(tf.constant([0.0, 0.0, 3.0]) - estimate, fraction))
  np.testing.assert_allclose(tape.gradient(loss, estimate), 0.0, atol=1e-5)
