"""Distributions over values, and ensembles of what returns them, by hand."""

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf
import tensorflow_probability as tfp

from tfacme import errors, networks


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


@pytest.mark.parametrize(
  'make, says',
  [
    (lambda: networks.DiscreteValueHead(1, 1), 'highest value of a critic is 1, and has to be more than 1'),
    (lambda: networks.DiscreteValueHead(0, 1, 1), 'number of values of a critic is 1, and has to be at least 2'),
    (lambda: networks.QuantileHead(0), 'number of quantiles of a critic is 0, and has to be at least 1'),
    (lambda: networks.GaussianMixtureHead(0.5), 'number of parts of a critic is 0.5, and has to be a whole number'),
  ],
)
def test_what_makes_no_distribution_is_said(make, says):
  with pytest.raises(errors.UserError, match=says):
    make()


def test_backups_are_of_the_return_and_what_follows():
  returns, discount = tf.constant([1.0, -2.0]), tf.constant([0.5, 0.0])
  values = tf.constant([[0.0, 4.0], [8.0, 2.0]])
  backed_up = [[1.0, 3.0], [-2.0, -2.0]]
  discrete = networks.DiscreteValues(tf.constant([[1.0, 2.0], [3.0, 4.0]]), values).backup(returns, discount)
  np.testing.assert_array_equal(discrete.values, backed_up)
  np.testing.assert_array_equal(discrete.logits, [[1, 2], [3, 4]])
  quantiles = networks.Quantiles(values, tf.constant([[0.25, 0.75]])).backup(returns, discount)
  np.testing.assert_array_equal(quantiles.values, backed_up)
  mixture = networks.GaussianMixture(tf.zeros([2, 2]), values, tf.math.log([[1.0, 2.0], [3.0, 4.0]]))
  mixture = mixture.backup(returns, discount)
  np.testing.assert_array_equal(mixture.means, backed_up)
  np.testing.assert_allclose(tf.exp(mixture.log_stds)[0], [0.5, 1.0])
  assert np.all(mixture.log_stds[1] == -10) and np.all(np.isfinite(mixture.log_prob(returns)))


def test_samples_of_a_mixture():
  mixture = networks.GaussianMixture(
    tf.math.log([[0.25, 0.75], [1.0, 1e-30]]), tf.constant([[-5.0, 5.0], [1.0, 9.0]]), tf.math.log([[0.5, 1.0]] * 2)
  )
  drawn = mixture.sample(tf.constant([1, 2]), 10_000).numpy()
  assert drawn.shape == (10_000, 2)
  np.testing.assert_allclose((drawn < 0).mean(axis=0)[0], 0.25, atol=0.02)
  low, high = drawn[drawn[:, 0] < 0, 0], drawn[drawn[:, 0] > 0, 0]
  np.testing.assert_allclose([low.mean(), low.std(), high.mean(), high.std()], [-5, 0.5, 5, 1], atol=0.05)
  np.testing.assert_allclose([drawn[:, 1].mean(), drawn[:, 1].std()], [1, 0.5], atol=0.03)
  ensemble = networks.GaussianMixture(*(tf.stack([leaf, leaf]) for leaf in mixture))
  assert ensemble.sample(tf.constant([1, 2]), 3).shape == (3, 2, 2)
