"""Sequences behind their burn-in, by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tests.networks import sums
from tfacme import configs, core, networks, updates

_SUM = networks.Unrollable(lambda x: x, lambda x: x, sums.Sum())


def _batch(first=(True, False, False, False, False)):
  """A sequence of 1, 2, 3, 4, which ends there; before it the sum was 10."""
  rows = tf.constant([[1.0, 2.0, 3.0, 4.0, 4.0]])
  last = tf.constant([[False, False, False, True, True]])
  state = tf.constant([[[10.0]]])
  steps = core.Step(rows[..., tf.newaxis], rows, rows, rows, tf.constant([first]), last, {'state': state})
  return core.Batch(steps, 1.0 - tf.cast(last, tf.float32), ())


@pytest.mark.parametrize(
  'burn_in, restart, warmed', [(0, 1, 10.0), (1, 4, 11.0), (2, 4, 13.0), (2, 1, 2.0), (3, 1, 5.0)]
)
def test_a_state_is_warmed_up_by_the_burn_in_and_starts_anew_with_an_episode(burn_in, restart, warmed):
  found = updates.sequences(_batch([t == restart for t in range(5)]), burn_in)
  np.testing.assert_array_equal(found.state, [[10.0]])
  np.testing.assert_array_equal(found.warmed(_SUM, lambda rows: rows.observation, found.state), [[warmed]])
  np.testing.assert_array_equal(found.steps.reward, [[1.0, 2.0, 3.0, 4.0, 4.0][burn_in:]])
  np.testing.assert_array_equal(found.mask, [[1.0, 1.0, 1.0, 0.0, 0.0][burn_in:]])
  assert found.steps.extras == ()


def test_nothing_is_learned_through_the_burn_in():
  found, weight = updates.sequences(_batch(), 2), tf.Variable(2.0)
  with tf.GradientTape() as tape:
    warmed = found.warmed(_SUM, lambda rows: weight * rows.observation, weight * found.state)
  assert tape.gradient(warmed, weight) is None


def test_what_fills_up_a_sequence_is_not_seen():
  config = configs.SequenceConfig(trace_length=4)
  np.testing.assert_array_equal(updates.is_seen(_batch().steps, config), [[1.0, 1.0, 1.0, 1.0, 0.0]])
  across = configs.SequenceConfig(trace_length=4, across_episodes=True)
  np.testing.assert_array_equal(updates.is_seen(_batch().steps, across), np.ones([1, 5]))


def test_what_fills_up_a_transition_is_not_seen_either():
  steps = _batch().steps
  np.testing.assert_array_equal(updates.is_seen(steps), [[1.0, 1.0, 1.0, 1.0, 0.0]])  # around a wrapper
  assert updates.is_seen(steps._replace(observation=steps.observation[:, :2])) is None
