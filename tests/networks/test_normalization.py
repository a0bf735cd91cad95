"""Running statistics against those of all numbers at once."""

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import networks


def _chunks(seed=0):
  rng = np.random.RandomState(seed)
  return [(3.0 + 2.0 * rng.randn(n, 4)).astype(np.float32) for n in (5, 1, 30, 7)]


def test_the_statistics_of_all_that_was_seen():
  normalizer = networks.Normalizer((4,))
  for chunk in _chunks():
    normalizer.update(tf.constant(chunk), tf.ones(len(chunk)))
  every = np.concatenate(_chunks())
  x = np.random.RandomState(1).randn(3, 4).astype(np.float32)
  np.testing.assert_allclose(normalizer(x), (x - every.mean(axis=0)) / every.std(axis=0), rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(normalizer.inverse(normalizer(x)), x, atol=1e-5)


def test_nothing_is_changed_at_first():
  normalizer = networks.Normalizer(())
  np.testing.assert_array_equal(normalizer(tf.constant([5.0, -2.0])), [5.0, -2.0])
  normalizer.update(tf.constant([7.0]), tf.zeros(1))
  np.testing.assert_array_equal(normalizer(tf.constant([5.0, -2.0])), [5.0, -2.0])


def test_what_is_masked_is_not_seen():
  normalizer, other = networks.Normalizer(()), networks.Normalizer(())
  normalizer.update(tf.constant([1.0, 3.0, 1e6]), tf.constant([1.0, 1.0, 0.0]))
  other.update(tf.constant([1.0, 3.0]), tf.ones(2))
  np.testing.assert_allclose(normalizer(tf.constant([1.0])), other(tf.constant([1.0])))


def test_numbers_of_a_row_may_be_masked_one_by_one():
  normalizer, others = networks.Normalizer((2,)), [networks.Normalizer(()) for _ in range(2)]
  x, mask = np.array([[1.0, 5.0], [3.0, 1e6], [1e6, 9.0]], np.float32), np.array([[1, 1], [1, 0], [0, 1]], np.float32)
  normalizer.update(tf.constant(x), tf.constant(mask))
  for column, other in enumerate(others):
    other.update(tf.constant(x[:, column]), tf.constant(mask[:, column]))
  np.testing.assert_allclose(normalizer(tf.constant(x))[:, 0], others[0](x[:, 0]))
  np.testing.assert_allclose(normalizer(tf.constant(x))[:, 1], others[1](x[:, 1]))


def test_a_decay_forgets():
  # Weights 0.5 and 1 of the numbers 0 and 3: mean 2, variance (0.5 * 4 + 1 * 1) / 1.5 = 2.
  normalizer = networks.Normalizer((), decay=0.5)
  for number in (0.0, 3.0):
    normalizer.update(tf.constant([number]), tf.ones(1))
  np.testing.assert_allclose(normalizer.inverse(tf.constant([0.0, 1.0])), [2.0, 2.0 + np.sqrt(2.0)], rtol=1e-5)


def test_what_never_changes_is_not_blown_up():
  normalizer = networks.Normalizer(())
  normalizer.update(tf.fill([10], 2.0), tf.ones(10))
  np.testing.assert_allclose(normalizer(tf.constant([2.0, 2.0001])), [0.0, 1.0], atol=0.01)


_OBSERVATIONS = {
  'image': dm_specs.Array((2, 2, 1), np.uint8),
  'speed': dm_specs.Array((), np.float32),
  'joints': dm_specs.Array((3,), np.float32),
}


@pytest.mark.parametrize('lead', [(6,), (2, 3)])
def test_observations(lead):
  normalizer = networks.ObservationNormalizer(_OBSERVATIONS, limit=1.5)
  assert not normalizer.trainable_variables
  module = snt.Sequential([normalizer, networks.flatten_observation])
  observation = {
    'image': np.full((*lead, 2, 2, 1), 7, np.uint8),
    'speed': np.arange(6, dtype=np.float32).reshape(lead),
    'joints': np.tile(np.arange(6, dtype=np.float32).reshape(*lead, 1), 3) * [1, 10, 100],
  }
  observation = {name: tf.constant(leaf.astype(_OBSERVATIONS[name].dtype)) for name, leaf in observation.items()}
  update = tf.Module()
  update.networks = [module, module]  # twice, and brought up to date once
  if len(lead) == 1:
    observation = tf.nest.map_structure(lambda x: x[:, tf.newaxis], observation)
  networks.update_normalizers(update, observation)
  flat = tf.nest.map_structure(lambda x: tf.reshape(x, [6, *x.shape[2:]]), observation)
  found = module(flat).numpy()
  expected = np.clip((np.arange(6) - 2.5) / np.arange(6).std(), -1.5, 1.5)
  np.testing.assert_array_equal(found[:, :4], 7)
  for column in range(4, 8):
    np.testing.assert_allclose(found[:, column], expected, rtol=1e-4)


def test_a_part_of_an_observation_is_not_taken_for_the_whole():
  update = tf.Module()
  update.network = networks.ObservationNormalizer({'joints': _OBSERVATIONS['joints']})
  observation = {name: tf.zeros([2, 3, *spec.shape], spec.dtype) for name, spec in _OBSERVATIONS.items()}
  with pytest.raises(ValueError, match=r'of shapes \[\(3,\)\] was given some of'):
    networks.update_normalizers(update, observation)
