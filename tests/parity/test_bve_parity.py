"""BVE's update against an independent one in JAX: from the same weights and batches to the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

from tests.parity import continuous, discrete, references
from tfacme import networks
from tfacme.agents import bve

_STEPS = 4


class _Reference:
  """The same algorithm, on a list of weights."""

  def __init__(self, weights, config):
    self.config, self.online, self.target = config, weights, weights
    self.adam = references.Adam(weights, config.learning_rate, config.adam_epsilon, config.max_gradient_norm)

  def q(self, weights, x):
    return references.layers(weights, x, jax.nn.relu)

  def step(self, batch):
    c, steps = self.config, batch.steps
    following = discrete.of(np.asarray(self.q(self.target, steps.observation[:, 1])), steps.action[:, -1])
    targets = discrete.bootstrapped(batch, following, c)
    # After a truncation there is a value to learn from, but of no action.
    whole = discrete.bootstrapped(batch, np.ones(discrete.BATCH), c) != discrete.bootstrapped(batch, 0 * targets, c)
    counts = np.where(whole & (batch.mask[:, -1] == 0), 0.0, 1.0)

    def loss(weights):
      errors = targets - discrete.of(self.q(weights, steps.observation[:, 0]), steps.action[:, 0])
      return jnp.mean(counts * discrete.huber(errors, c.huber_delta))

    value, gradients = jax.value_and_grad(loss)(self.online)
    self.online = self.adam.step(self.online, gradients)
    if self.adam.t % c.target_update_period == 0:
      self.target = self.online
    return value, counts


@pytest.mark.parametrize('changes', [{}, {'n_step': 3, 'huber_delta': 0.3, 'max_abs_reward': 1.0}])
def test_the_next_weights_agree(changes):
  config = bve.BVEConfig(**{'learning_rate': 1e-2, 'adam_epsilon': 1e-4, 'target_update_period': 2, **changes})
  with networks.seeded(0):
    made = bve.default_networks((6, 5))(discrete.SPEC)
  variables = continuous.ordered(made.q)
  references.disturb(variables)
  update = bve.BVEBuilder(config).update(made, discrete.SPEC)
  reference = _Reference([variable.numpy() for variable in variables], config)
  compiled, counted = references.compiled(update), []
  for step in range(_STEPS):
    batch = discrete.batch(step, config.n_step)
    output = compiled(tf.nest.map_structure(tf.constant, batch))
    loss, counts = reference.step(batch)
    np.testing.assert_allclose(output.metrics['loss'], loss, rtol=1e-4)
    counted.append(counts)
  assert 0.2 < np.mean(counted) < 0.95
  for found, expected in zip(variables, reference.online, strict=True):
    np.testing.assert_allclose(found, expected, atol=2e-5)
  for found, expected in zip(continuous.ordered(update._target.network), reference.target, strict=True):
    np.testing.assert_allclose(found, expected, atol=2e-5)
