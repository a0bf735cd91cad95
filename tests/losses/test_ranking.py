"""The ranking of recorded actions, held to numbers worked by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfacme import errors, networks, updates
from tfacme.losses import q_learning, ranking


def test_the_hinge_counts_what_is_less_than_a_margin_below():
  # With a margin of 1, two are above what the first action has to reach, by 3 and 0.5; none is in the second row.
  q = tf.constant([[1.0, 3.0, 0.5, networks.ILLEGAL], [1.0, 3.0, 0.5, networks.ILLEGAL]])
  with tf.GradientTape() as tape:
    tape.watch(q)
    penalties = ranking.hinge(q, tf.constant([0, 1], tf.int64), margin=1.0)
  np.testing.assert_allclose(penalties, [3.0**2 + 0.5**2, 0.0], rtol=1e-6)
  slope = [[-2 * (3.0 + 0.5), 2 * 3.0, 2 * 0.5, 0.0], [0.0] * 4]  # of each pair: one is raised, the other lowered
  np.testing.assert_allclose(tape.gradient(penalties, q), slope, rtol=1e-6)


def test_the_recorded_action_itself_is_no_other():
  np.testing.assert_allclose(ranking.hinge(tf.constant([[0.0, -9.0]]), tf.constant([0]), margin=2.0), [0.0])


def test_returns_count_by_an_exponential():
  # 1 and 5 are -1 and 1 when standardized: exp(-1) and exp(1), whose mean is cosh(1).
  returns = tf.constant([1.0, 5.0])
  with tf.GradientTape() as tape:
    tape.watch(returns)
    weights = ranking.weights_by_return(returns)
  np.testing.assert_allclose(weights, np.exp([-1.0, 1.0]) / math.cosh(1.0), rtol=1e-5)
  np.testing.assert_allclose(ranking.weights_by_return(1e6 * returns), weights, rtol=1e-5)
  assert tape.gradient(weights, returns) is None


def test_returns_that_are_all_the_same_count_the_same():
  np.testing.assert_allclose(ranking.weights_by_return(tf.fill([3], 7.0)), [1.0, 1.0, 1.0], rtol=1e-6)


def _transition(**changes):
  """Two of them, with actions 0 and 1."""
  nothing = dict.fromkeys(updates.Transition._fields)
  extras = {'return_to_go': tf.constant([1.0, 5.0])}
  return updates.Transition(**{**nothing, 'action': tf.constant([0, 1]), 'extras': extras, **changes})


def _given(online, target, transition):
  return q_learning.Losses(tf.constant([3.0, 4.0]), tf.constant([5.0, 6.0]), {'given': tf.constant(7.0)})


def test_the_ranking_is_added_to_the_variant_that_it_is_given():
  online = lambda observation: tf.constant([[1.0, 2.0], [1.0, 0.0]])
  losses = ranking.Ranked(_given, weight=0.5, margin=1.0)(online, None, _transition())
  penalties = 2.0**2 * np.exp([-1.0, 1.0]) / math.cosh(1.0)
  np.testing.assert_allclose(losses.loss, [3.0, 4.0] + 0.5 * penalties, rtol=1e-5)
  np.testing.assert_allclose(losses.errors, [5.0, 6.0])
  assert set(losses.metrics) == {'given', 'ranking'}
  np.testing.assert_allclose(losses.metrics['ranking'], np.mean(penalties), rtol=1e-5)


def test_without_returns_it_says_where_they_come_from():
  with pytest.raises(errors.UserError, match=r'needs the returns.*relabelling.returns_to_go\(discount\)'):
    ranking.Ranked(_given, weight=1.0, margin=1.0)(None, None, _transition(extras=()))
