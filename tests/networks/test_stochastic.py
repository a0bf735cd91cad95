"""Layers that are random."""

import numpy as np
import tensorflow as tf

from tfacme import networks

_SEED = tf.constant([1, 2])


def _call(layer, features, phase, seed=_SEED):
  with networks.drawing(seed, phase):
    return layer(features).numpy()


def test_dropout_is_for_learning():
  layer, ones = networks.Dropout(0.25), tf.ones([100, 100])
  dropped = _call(layer, ones, networks.Phase.LEARNING)
  np.testing.assert_allclose(np.unique(dropped), [0.0, 4 / 3])
  np.testing.assert_allclose(dropped.mean(), 1.0, atol=0.02)
  for phase in (networks.Phase.ACTING, networks.Phase.EVALUATION):
    np.testing.assert_array_equal(_call(layer, ones, phase), ones)


def test_a_noisy_layer_is_noisy_but_for_evaluations():
  layer, features = networks.NoisyLinear(3), tf.random.stateless_normal([2, 4], [5, 6])
  plain = _call(layer, features, networks.Phase.EVALUATION)
  np.testing.assert_allclose(plain, features @ layer.w + layer.b, rtol=1e-6)
  first, second = (_call(layer, features, networks.Phase.ACTING, seed) for seed in (_SEED, _SEED + 1))
  assert not np.allclose(first, plain) and not np.allclose(first, second)
  np.testing.assert_array_equal(first, _call(layer, features, networks.Phase.LEARNING))
  np.testing.assert_allclose(layer.w_noise, np.full((4, 3), 0.25))  # 0.5 / sqrt(4)


def test_the_mean_of_a_noisy_layer_is_its_plain_one():
  layer, features = networks.NoisyLinear(2), tf.ones([1, 4])
  plain = _call(layer, features, networks.Phase.EVALUATION)
  drawn = [_call(layer, features, networks.Phase.ACTING, tf.constant([i, 0])) for i in range(2_000)]
  np.testing.assert_allclose(np.mean(drawn, axis=0), plain, atol=0.06)
