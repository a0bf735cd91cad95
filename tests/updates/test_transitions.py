"""The transition of an item, by hand."""

import numpy as np
import tensorflow as tf

from tfacme import configs, core, updates


def _batch(rewards, discounts, last, actions):
  """A single item whose observations are the numbers of its rows."""
  last = np.array([last])
  steps = core.Step(
    observation=tf.constant([[0.0, float(len(rewards) - 1)]]),
    action=tf.constant([actions]),
    reward=tf.constant([rewards], tf.float32),
    discount=tf.constant([discounts], tf.float32),
    first=tf.zeros(last.shape, tf.bool),
    last=tf.constant(last),
  )
  return core.Batch(steps, tf.constant(1.0 - last, tf.float32), None)


_CONFIG = configs.NStepConfig(n_step=2, discount=0.5)


def test_a_whole_item():
  batch = _batch([1, 2, 9], [1, 1, 1], [False, False, False], [5, 6, 7])
  found = updates.n_step_transition(batch, _CONFIG)
  assert (found.returns.numpy(), found.discount.numpy()) == ([2.0], [0.25])
  assert (found.action.numpy(), found.next_action.numpy(), found.next_weight.numpy()) == ([5], [7], [1.0])
  assert (found.observation.numpy(), found.next_observation.numpy()) == ([0.0], [2.0])


def test_after_a_truncation_there_is_no_next_action_and_after_a_termination_none_is_asked_for():
  truncated = updates.n_step_transition(_batch([1, 0, 0], [1, 0, 0], [False, True, True], [5, 0, 0]), _CONFIG)
  assert (truncated.discount.numpy(), truncated.next_weight.numpy()) == ([0.5], [0.0])
  terminated = updates.n_step_transition(_batch([1, 0, 0], [0, 0, 0], [False, True, True], [5, 0, 0]), _CONFIG)
  assert (terminated.discount.numpy(), terminated.next_weight.numpy()) == ([0.0], [1.0])


def test_rewards_are_clipped_and_scaled_before_they_are_summed():
  batch = _batch([8, -2, 0], [1, 1, 1], [False, False, False], [5, 6, 7])
  assert updates.n_step_transition(batch, _CONFIG, max_abs_reward=1.0, reward_scale=4.0).returns.numpy() == [2.0]


def test_rewards_of_several_parts():
  batch = _batch([[1, 10], [2, 20], [0, 0]], [1, 1, 1], [False, False, False], [5, 6, 7])
  np.testing.assert_allclose(updates.n_step_transition(batch, _CONFIG).returns, [[2.0, 20.0]])


def test_as_many_parts_as_items():
  # Where B = K, a discount [B] would be taken for one of the parts.
  one = _batch([[1, 10], [2, 20], [0, 0]], [1, 1, 1], [False, False, False], [5, 6, 7])
  other = _batch([[1, 10], [0, 0], [0, 0]], [0, 0, 0], [False, True, True], [5, 0, 0])
  both = tf.nest.map_structure(lambda *x: tf.concat(x, 0), one._replace(info=()), other._replace(info=()))
  np.testing.assert_allclose(updates.n_step_transition(both, _CONFIG).returns, [[2.0, 20.0], [1.0, 10.0]])


def test_the_extras_are_those_of_its_first_row():
  batch = _batch([1, 2, 9], [1, 1, 1], [False, False, False], [5, 6, 7])
  assert updates.n_step_transition(batch, _CONFIG).extras == ()
  batch = batch._replace(steps=batch.steps._replace(extras={'weight': tf.constant([[3.0, 4.0, 5.0]])}))
  assert updates.n_step_transition(batch, _CONFIG).extras['weight'].numpy() == [3.0]
