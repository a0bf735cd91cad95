"""The distributions of actions against those of TensorFlow Probability."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from dm_env import specs as dm_specs

from tfacme import networks

tfd, tfb = tfp.distributions, tfp.bijectors
_SEED = [1, 2]


def _normal(seed=0):
  rng = np.random.RandomState(seed)
  return rng.randn(50, 3).astype(np.float32), (0.5 * rng.randn(50, 3)).astype(np.float32)


def _reference(mean, log_std):
  return tfd.MultivariateNormalDiag(mean, np.exp(log_std))


def test_a_categorical():
  logits = 2.0 * _normal()[0]
  ours, theirs = networks.Categorical(tf.constant(logits)), tfd.Categorical(logits)
  action = theirs.sample(seed=1)
  for dtype in (tf.int32, tf.int64, tf.uint8, tf.int16):
    np.testing.assert_allclose(ours.log_prob(tf.cast(action, dtype)), theirs.log_prob(action), rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(ours.entropy(), theirs.entropy(), rtol=1e-5)
  np.testing.assert_array_equal(ours.mode(), theirs.mode())


def test_what_has_no_probability_adds_nothing_to_the_entropy():
  logits = tf.constant([[0.0, np.log(3.0), -np.inf], [1.0, -np.inf, -np.inf]])
  with tf.GradientTape() as tape:
    tape.watch(logits)
    entropy = networks.Categorical(logits).entropy()
  np.testing.assert_allclose(entropy, [-0.25 * np.log(0.25) - 0.75 * np.log(0.75), 0.0], rtol=1e-6)
  # dH/dlogit = -p (log p + H).
  slope = 0.25 * 0.75 * np.log(3.0)
  np.testing.assert_allclose(tape.gradient(entropy, logits), [[slope, -slope, 0], [0, 0, 0]], atol=1e-6)


def test_samples_of_a_categorical():
  probabilities = np.array([0.1, 0.6, 0.3, 0.0])
  with np.errstate(divide='ignore'):
    logits = np.tile(np.log(probabilities, dtype=np.float32), (20_000, 1))
  action = networks.Categorical(tf.constant(logits)).sample(_SEED)
  assert action.dtype == tf.int32
  np.testing.assert_allclose(np.bincount(action, minlength=4) / 20_000, probabilities, atol=0.015)


def test_a_gaussian():
  mean, log_std = _normal()
  ours, theirs = networks.Gaussian(tf.constant(mean), tf.constant(log_std)), _reference(mean, log_std)
  action = theirs.sample(seed=1)
  np.testing.assert_allclose(ours.log_prob(action), theirs.log_prob(action), rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(ours.entropy(), theirs.entropy(), rtol=1e-5)
  np.testing.assert_array_equal(ours.mode(), mean)


def test_samples_of_a_gaussian():
  mean, log_std = tf.fill([20_000, 2], 3.0), tf.math.log(tf.fill([20_000, 2], 0.5))
  sample = networks.Gaussian(mean, log_std).sample(_SEED)
  np.testing.assert_allclose(np.mean(sample, axis=0), 3.0, atol=0.02)
  np.testing.assert_allclose(np.std(sample, axis=0), 0.5, atol=0.02)


def test_a_tanh_gaussian():
  mean, log_std = _normal()
  ours = networks.TanhGaussian(tf.constant(mean), tf.constant(log_std))
  theirs = tfb.Tanh()(_reference(mean, log_std))
  action, log_prob = ours.sample_and_log_prob(_SEED)
  np.testing.assert_allclose(log_prob, theirs.log_prob(action), rtol=1e-3, atol=1e-3)
  np.testing.assert_allclose(ours.log_prob(action), theirs.log_prob(action), rtol=1e-3, atol=1e-3)
  np.testing.assert_array_equal(ours.sample(_SEED), action)
  np.testing.assert_allclose(ours.mode(), np.tanh(mean), rtol=1e-5)


def test_the_density_of_a_tanh_gaussian_is_of_the_noise_that_was_drawn():
  shape = (1000, 2)
  noise = tf.random.stateless_normal(shape, _SEED).numpy().astype(np.float64)
  for mean, log_std in ((10.0, -20.0), (-10.0, -20.0), (0.0, -20.0), (1.0, -3.0), (0.5, 1.0), (-40.0, 2.0)):
    ours = networks.TanhGaussian(tf.fill(shape, mean), tf.fill(shape, log_std))
    _, log_prob = ours.sample_and_log_prob(_SEED)
    before = mean + np.exp(log_std) * noise
    squeezed = -2.0 * np.logaddexp(before, -before) + 2.0 * np.log(2.0)  # log(1 / cosh^2)
    expected = np.sum(-0.5 * noise**2 - log_std - 0.5 * np.log(2.0 * np.pi) - squeezed, axis=-1)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-5, atol=1e-5, err_msg=f'{mean}, {log_std}')


@pytest.mark.parametrize('mean', [-30.0, 0.0, 30.0])
def test_a_tanh_gaussian_is_finite_where_the_tangent_saturates(mean):
  means = tf.fill([4, 1], mean)
  with tf.GradientTape() as tape:
    tape.watch(means)
    action, log_prob = networks.TanhGaussian(means, tf.zeros([4, 1])).sample_and_log_prob(_SEED)
  assert np.isfinite(log_prob).all() and np.isfinite(tape.gradient(log_prob, means)).all()
  assert np.isfinite(networks.TanhGaussian(means, tf.zeros([4, 1])).log_prob(tf.round(action))).all()


def test_bounds_and_back():
  spec = dm_specs.BoundedArray((2,), np.float32, [-2.0, 0.0], [2.0, 10.0])
  scaled = networks.to_environment(tf.constant([[-1.0, 1.0], [0.5, 0.0]]), spec)
  np.testing.assert_allclose(scaled, [[-2.0, 10.0], [1.0, 5.0]])
  np.testing.assert_allclose(networks.from_environment(scaled, spec), [[-1.0, 1.0], [0.5, 0.0]])


def test_bounds_that_are_one_number_for_all():
  spec = dm_specs.BoundedArray((2,), np.float64, -3.0, 3.0)
  scaled = networks.to_environment(tf.constant([[-1.0, 1.0]]), spec)
  assert scaled.dtype == tf.float64
  np.testing.assert_allclose(scaled, [[-3.0, 3.0]])
