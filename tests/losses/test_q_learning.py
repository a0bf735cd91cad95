"""Hand-worked numbers of the variants of Q-learning."""

import numpy as np
import tensorflow as tf

from tfacme import networks, updates
from tfacme.losses import q_learning


def test_double_q_learning_selects_by_the_online_network_along_a_sequence():
  q = tf.constant([[[1.0, 2.0], [4.0, 3.0], [0.0, 5.0]]])  # selects actions 1, 0, 1
  target_q = tf.constant([[[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]]])  # their values: 20, 30, 60
  sequence = q_learning.Sequence(
    action=tf.constant([[0, 1]], tf.int64), mask=tf.constant([[1.0, 0.0]]), targets=lambda values: 0.1 * values[:, 1:]
  )
  losses = q_learning.sequence_double_q_learning(q, target_q, sequence)
  np.testing.assert_allclose(losses.errors, [[3.0 - 1.0, 6.0 - 3.0]], rtol=1e-6)
  np.testing.assert_allclose(losses.loss, [[2.0, 4.5]], rtol=1e-6)
  np.testing.assert_allclose(losses.metrics['q'], 1.0)  # of the first row alone: the other one starts no transition


def test_sarsa_takes_the_values_of_the_actions_that_followed():
  online = lambda observation: tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
  target = lambda observation: tf.constant([[10.0, 20.0], [30.0, 40.0], [networks.ILLEGAL, 60.0]])
  transition = updates.Transition(
    observation=None,
    action=tf.constant([1, 0, 0], tf.int64),
    returns=tf.constant([1.0, 5.0, 7.0]),
    discount=tf.constant([0.5, 0.0, 0.5]),
    next_observation=None,
    next_action=tf.constant([0, 0, 0], tf.int64),
    next_weight=tf.constant([1.0, 1.0, 0.0]),  # The last one was truncated: there is no action after it.
  )
  losses = q_learning.Sarsa(huber_delta=3.0)(online, target, transition)
  np.testing.assert_allclose(losses.errors, [1.0 + 0.5 * 10.0 - 2.0, 5.0 - 3.0, 0.0], rtol=1e-6)
  np.testing.assert_allclose(losses.loss, [3.0 * (4.0 - 1.5), 2.0, 0.0], rtol=1e-6)
  np.testing.assert_allclose(losses.metrics['q'], (2.0 + 3.0 + 5.0) / 3)
