"""Discrete CQL's update against an independent one in JAX: from the same weights and batches to the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

from tests.parity import continuous, discrete, references
from tfacme import networks
from tfacme.agents import discrete_cql

_STEPS = 3


class _Reference:
  """The same algorithm with single Q-learning, on a list of weights."""

  def __init__(self, online, target, config):
    self.config, self.online, self.target = config, online, target
    self.log_weight = np.log(config.conservative_weight)
    self.adam = references.Adam(online, config.learning_rate, config.adam_epsilon)
    rate = config.conservative_weight_learning_rate
    self.weight_adam = references.Adam([np.zeros(())], rate, config.adam_epsilon)

  def q(self, weights, x):
    return references.layers(weights, x, jax.nn.relu)

  def step(self, batch):
    c, steps = self.config, batch.steps
    best = np.max(self.q(self.target, steps.observation[:, 1]), axis=1)
    targets = discrete.bootstrapped(batch, best, c)

    def loss(weights):
      q = self.q(weights, steps.observation[:, 0])
      taken = discrete.of(q, steps.action[:, 0])
      gap = jnp.log(jnp.sum(jnp.exp(q), axis=1)) - taken
      huber = discrete.huber(targets - taken, c.huber_delta)
      return jnp.mean(huber + np.exp(self.log_weight) * gap), jnp.mean(gap)

    gradients, gap = jax.grad(loss, has_aux=True)(self.online)
    self.online = self.adam.step(self.online, gradients)
    if c.gap_threshold is not None:
      gradient = -np.exp(self.log_weight) * (gap - c.gap_threshold)
      (self.log_weight,) = self.weight_adam.step([self.log_weight], [gradient])
    self.target = continuous.followed(self.target, self.online, c.target_update_rate)


_CONFIGS = {
  'fixed weight': {'conservative_weight': 2.0},
  'learned weight': {'gap_threshold': 0.5, 'n_step': 2},
}


@pytest.mark.parametrize('name', list(_CONFIGS))
def test_the_next_weights_agree(name):
  rates = {'learning_rate': 1e-2, 'conservative_weight_learning_rate': 1e-2}
  follows = {'target_update_period': None, 'target_update_rate': 0.3}
  config = discrete_cql.DiscreteCQLConfig(double=False, **rates, **follows, **_CONFIGS[name])
  with networks.seeded(0):
    made = discrete_cql.default_networks((6, 5))(discrete.SPEC)
  references.disturb(made.q.variables)
  online = [variable.numpy() for variable in continuous.ordered(made.q)]
  reference = _Reference(online, online, config)
  update = discrete_cql.DiscreteCQLBuilder(config).update(made, discrete.SPEC)
  compiled = references.compiled(update)
  for step in range(_STEPS):
    batch = discrete.batch(step, config.n_step)
    reference.step(batch)
    output = compiled(tf.nest.map_structure(tf.constant, batch))
    assert output.priorities is None
  for found, weight in zip(continuous.ordered(made.q), reference.online, strict=True):
    np.testing.assert_allclose(found, weight, atol=1e-5)
  np.testing.assert_allclose(update._weight(), np.exp(reference.log_weight), rtol=1e-5)
