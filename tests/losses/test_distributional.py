"""The losses of critics of distributions, held to numbers worked by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfacme import networks
from tfacme.losses import distributional


def _discrete(probabilities, values):
  return networks.DiscreteValues(tf.math.log(tf.constant(probabilities)), tf.constant(values))


@pytest.mark.parametrize(
  'targets, expected',
  [
    pytest.param([0.0, 2.0], [0.25, 0.0, 0.75, 0.0], id='on atoms'),
    pytest.param([0.5, 2.75], [0.125, 0.125, 0.1875, 0.5625], id='between them: shared by nearness'),
    pytest.param([3.75, -2.0], [0.75, 0.0, 0.0, 0.25], id='beyond them, and in any order'),
    pytest.param([1.0, 1.0], [0.0, 1.0, 0.0, 0.0], id='on the same one'),
  ],
)
def test_projection(targets, expected):
  atoms = tf.constant([[0.0, 1.0, 2.0, 3.0]])
  found = distributional.project(tf.constant([targets]), tf.constant([[0.25, 0.75]]), atoms)
  np.testing.assert_allclose(found, [expected], atol=1e-6)


def test_projection_keeps_mass_and_mean():
  rng = np.random.default_rng(0)
  atoms, targets = np.linspace(-7, 5, 51, dtype=np.float32), rng.uniform(-7, 5, (6, 9)).astype(np.float32)
  probabilities = rng.dirichlet(np.ones(9), 6).astype(np.float32)
  found = distributional.project(targets, probabilities, tf.constant(atoms)).numpy()
  np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-5)
  np.testing.assert_allclose(found @ atoms, (probabilities * targets).sum(axis=1), rtol=1e-4, atol=1e-4)


def test_categorical_cross_entropy():
  online = _discrete([[0.5, 0.25, 0.25]], [[0.0, 1.0, 2.0]])
  target = _discrete([[0.5, 0.5, 0.0]], [[0.0, 1.0, 2.0]]).backup(tf.constant([0.5]), tf.constant([1.0]))
  # At 0.5 and 1.5: a quarter, a half and a quarter of the mass.
  expected = 0.25 * math.log(2) + 0.75 * math.log(4)
  np.testing.assert_allclose(distributional.categorical_cross_entropy(online, target), [expected], rtol=1e-6)


def test_quantile_huber():
  online = networks.Quantiles(tf.constant([[0.0, 1.0]]), tf.constant([[0.25, 0.75]]))
  target = networks.Quantiles(tf.constant([[0.5, -2.0, 1.0]]), tf.zeros([1, 3]))
  # Errors 0.5, -2, 1 of the first and -0.5, -3, 0 of the second quantile.
  first = (0.25 * 0.125 + 0.75 * 1.5 + 0.25 * 0.5) / 3
  second = (0.25 * 0.125 + 0.25 * 2.5 + 0.0) / 3
  np.testing.assert_allclose(distributional.quantile_huber(online, target), [first + second], rtol=1e-6)
  narrow = (0.25 * 0.1 * (0.5 - 0.05) + 0.75 * 0.1 * (2 - 0.05) + 0.25 * 0.1 * (1 - 0.05)) / 3
  narrow += 0.25 * 0.1 * (0.5 - 0.05 + 3 - 0.05) / 3
  np.testing.assert_allclose(distributional.quantile_huber(online, target, delta=0.1), [narrow], rtol=1e-6)


def test_quantiles_come_to_lie_where_the_targets_are():
  """The minimum of the loss of each fraction, with a small delta, is the quantile of the targets at it."""
  values = tf.Variable(tf.zeros([1, 4]))
  fractions, target = tf.constant([[0.125, 0.375, 0.625, 0.875]]), tf.constant([np.arange(101.0) / 10], tf.float32)
  for _ in range(400):
    with tf.GradientTape() as tape:
      loss = distributional.quantile_huber(networks.Quantiles(values, fractions), networks.Quantiles(target, 0), 0.01)
    values.assign_sub(2000.0 * tape.gradient(loss, values) / 100)
  np.testing.assert_allclose(values, [[1.25, 3.75, 6.25, 8.75]], atol=0.3)


def test_sampled_cross_entropy():
  online = networks.GaussianMixture(tf.zeros([1, 2]), tf.constant([[1.0, 1.0]]), tf.math.log([[2.0, 2.0]]))
  point = networks.GaussianMixture(tf.zeros([1, 1]), tf.constant([[4.0]]), tf.constant([[-30.0]]))
  with networks.drawing([1, 2]):
    found = distributional.SampledCrossEntropy(samples=3)(online, point)
  # The density of a normal distribution of deviation 2, 3 away from its mean.
  np.testing.assert_allclose(found, [math.log(2) + 0.5 * math.log(2 * math.pi) + 0.5 * 1.5**2], rtol=1e-5)


def test_sampled_cross_entropy_is_the_integral():
  online = networks.GaussianMixture(tf.zeros([1, 1]), tf.zeros([1, 1]), tf.zeros([1, 1]))
  target = networks.GaussianMixture(tf.math.log([[0.25, 0.75]]), tf.constant([[2.0, -1.0]]), tf.math.log([[1.0, 0.5]]))
  with networks.drawing([1, 2]):
    found = distributional.SampledCrossEntropy(samples=20_000)(online, target)
  square = 0.25 * (2**2 + 1) + 0.75 * (1 + 0.25)
  np.testing.assert_allclose(found, [0.5 * math.log(2 * math.pi) + 0.5 * square], atol=0.05)


_HEADS = [
  (lambda: networks.DiscreteValueHead(-1, 2, 5), distributional.categorical_cross_entropy),
  (lambda: networks.QuantileHead(4), distributional.quantile_huber),
  (lambda: networks.GaussianMixtureHead(3), distributional.SampledCrossEntropy(4)),
]


@pytest.mark.parametrize('head, loss', _HEADS)
def test_one_target_does_for_an_ensemble_and_no_gradient_flows_into_it(head, loss):
  critics = [networks.Critic(networks.MLPTorso((5,)), head=head()) for _ in range(2)]
  inputs = tf.constant(np.random.default_rng(0).normal(size=(4, 3)), tf.float32), tf.ones([4, 2])
  with tf.GradientTape(persistent=True) as tape, networks.drawing([1, 2]):
    online, target = networks.Ensemble(critics)(*inputs), critics[0](*inputs).backup(tf.ones([4]), tf.fill([4], 0.5))
    tape.watch(target)
    found = loss(online, target)
  assert found.shape == (2, 4)
  assert all(gradient is None for gradient in tape.gradient(found, tf.nest.flatten(target)))
  assert all(tf.reduce_any(g != 0) for g in tape.gradient(found, critics[1].trainable_variables))
  for member, critic in zip(found, critics):
    with networks.drawing([1, 2]):  # the same samples
      np.testing.assert_allclose(member, loss(critic(*inputs), target), rtol=1e-5)
