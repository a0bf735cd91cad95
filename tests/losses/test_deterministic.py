"""What deterministic policies minimize, held to numbers worked by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tfacme import errors
from tfacme.losses import deterministic


def _value(action):
  """Values whose slopes are 2 and -1."""
  return tf.reduce_sum(action * [2.0, -1.0], axis=1)


def _loss(variant, action, taken):
  """What a variant returns, and the gradient of its loss with respect to the actions."""
  action = tf.constant(action)
  with tf.GradientTape() as tape:
    tape.watch(action)
    found = variant(_value(action), action, tf.constant(taken))
  return found, tape.gradient(found.loss, action)


def test_the_policy_gradient_is_that_of_the_mean_value():
  found, gradient = _loss(deterministic.policy_gradient, [[0.5, 0.5], [1.0, -0.5]], [[0.0, 0.0]] * 2)
  np.testing.assert_allclose(found.loss, -(0.5 + 2.5) / 2)
  np.testing.assert_allclose(gradient, [[-1.0, 0.5]] * 2)
  assert not found.metrics


def test_values_against_the_distance_to_what_was_done():
  # Values 0.5 and -2.5 are 1.5 in size, so lambda is 3 / 1.5 = 2. Squared distances are 0.25, 0.25, 0 and 1: 0.375.
  action, taken = [[0.5, 0.5], [-1.0, 0.5]], [[0.0, 0.0], [-1.0, -0.5]]
  found, gradient = _loss(deterministic.BehaviourRegularized(alpha=3.0), action, taken)
  np.testing.assert_allclose(found.metrics['value_weight'], 2.0)
  np.testing.assert_allclose(found.metrics['behaviour_error'], 0.375)
  np.testing.assert_allclose(found.loss, 0.375 - 2.0 * -1.0)
  # Of the distance 2 (pi - a) / 4, of the values -2 * (2, -1) / 2: lambda has no slope.
  np.testing.assert_allclose(gradient, [[0.25 - 2.0, 0.25 + 1.0], [-2.0, 0.5 + 1.0]])


def test_it_is_the_same_of_nested_actions():
  flat, nested = [[0.5, 0.5], [-1.0, 0.5]], lambda x: {'arm': tf.constant(x)[:, :1], 'leg': tf.constant(x)[:, 1:]}
  taken, q = [[0.0, 0.0], [-1.0, -0.5]], _value(tf.constant(flat))
  variant = deterministic.BehaviourRegularized(alpha=3.0)
  np.testing.assert_allclose(variant(q, nested(flat), nested(taken)).loss, 2.375)


def test_where_all_values_are_0_it_clones():
  found, _ = _loss(deterministic.BehaviourRegularized(), [[0.0, 0.0]], [[1.0, 0.0]])
  assert (found.metrics['value_weight'], found.loss) == (0.0, 0.5)


def test_what_is_no_loss_is_named():
  with pytest.raises(errors.UserError, match=r'has to return a deterministic.PolicyLoss'):
    deterministic.evaluate(lambda q, action, taken: -tf.reduce_mean(q), tf.zeros([2]), None, None)
