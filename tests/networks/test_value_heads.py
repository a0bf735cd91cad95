"""Distributions over values, and ensembles of what returns them, by hand."""

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf
import tensorflow_probability as tfp

from tfacme import networks


def test_means():
  discrete = networks.DiscreteValues(tf.math.log([[0.25, 0.75]]), tf.constant([[-1.0, 3.0]]))
  np.testing.assert_allclose(discrete.mean(), [2.0], rtol=1e-6)
  quantiles = networks.Quantiles(tf.constant([[1.0, 2.0, 6.0]]), tf.constant([[1 / 6, 0.5, 5 / 6]]))
  np.testing.assert_allclose(quantiles.mean(), [3.0])
  mixture = networks.GaussianMixture(tf.math.log([[0.25, 0.75]]), tf.constant([[-1.0, 3.0]]), tf.zeros([1, 2]))
  np.testing.assert_allclose(mixture.mean(), [2.0], rtol=1e-6)


def test_the_density_of_a_mixture():
  rng = np.random.RandomState(0)
  logits, means, log_stds = rng.randn(3, 4, 2).astype(np.float32)
  ours = networks.GaussianMixture(*map(tf.constant, (logits, means, log_stds)))
  distribution = tfp.distributions.MixtureSameFamily(
    tfp.distributions.Categorical(logits), tfp.distributions.Normal(means, np.exp(log_stds))
  )
  value = rng.randn(4).astype(np.float32)
  np.testing.assert_allclose(ours.log_prob(tf.constant(value)), distribution.log_prob(value), rtol=1e-4)


@pytest.mark.parametrize(
  'head, shape',
  [
    (lambda: networks.ValueHead(), ()),
    (lambda: networks.DiscreteValueHead(-10.0, 10.0, 51), (51,)),
    (lambda: networks.QuantileHead(8), (8,)),
    (lambda: networks.GaussianMixtureHead(3), (3,)),
  ],
)
def test_an_ensemble_of_critics_returns_what_its_members_do(head, shape):
  critics = networks.Ensemble([networks.Critic(networks.MLPTorso((5,)), head=head()) for _ in range(2)])
  action = {'arm': tf.ones([4, 2]), 'hand': tf.ones([4, 1])}
  output = critics(tf.ones([4, 3]), action)
  assert all(leaf.shape == (2, 4, *shape) for leaf in tf.nest.flatten(output))
  if shape:
    assert output.mean().shape == (2, 4)


def test_the_atoms_and_the_middles():
  features = tf.ones([1, 2])
  np.testing.assert_allclose(networks.DiscreteValueHead(-1.0, 1.0, 5)(features).values, [[-1, -0.5, 0, 0.5, 1]])
  np.testing.assert_allclose(networks.QuantileHead(4)(features).fractions, [[0.125, 0.375, 0.625, 0.875]])
  assert isinstance(networks.QuantileHead(4), snt.Module)


def test_bounds_that_are_whole_numbers():
  output = networks.DiscreteValueHead(-10, 10, 5)(tf.zeros([1, 2]))
  np.testing.assert_array_equal(output.values, [[-10, -5, 0, 5, 10]])
  np.testing.assert_allclose(output.mean(), [0.0], atol=1e-6)  # All are as likely.
