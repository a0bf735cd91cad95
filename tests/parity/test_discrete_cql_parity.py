"""Discrete CQL's update against an independent one in JAX: from the same weights and batches to the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

from tests.parity import discrete, references
from tfacme import networks
from tfacme.agents import discrete_cql, dqn

_STEPS = 3


class _Reference:
  """The same algorithm with single Q-learning, on a list of weights."""

  def __init__(self, online, target, config):
    self.config, self.online, self.target = config, online, target
    self.log_weight = np.log(config.conservative_weight)
    self.adam = references.Adam(online, config.learning_rate, config.adam_epsilon)
    rate = config.conservative_weight_learning_rate
    self.weight_adam = references.Adam([np.zeros(())], rate, config.adam_epsilon)

  def step(self, batch):
    c, steps = self.config, batch.steps
    best = np.max(discrete.values(self.target, steps.observation[:, 1]), axis=1)
    targets = np.zeros(discrete.BATCH)
    for i in range(discrete.BATCH):
      factor = 1.0
      for k in range(c.n_step):
        if batch.mask[i, k]:
          targets[i] += factor * steps.reward[i, k]
          factor *= c.discount * steps.discount[i, k]
      targets[i] += factor * best[i]

    def loss(weights):
      q = discrete.values(weights, steps.observation[:, 0])
      taken = q[jnp.arange(discrete.BATCH), steps.action[:, 0]]
      gap = jnp.log(jnp.sum(jnp.exp(q), axis=1)) - taken
      size = jnp.abs(targets - taken)
      huber = jnp.where(size <= 1, size**2 / 2, size - 0.5)
      return jnp.mean(huber + np.exp(self.log_weight) * gap), jnp.mean(gap)

    gradients, gap = jax.grad(loss, has_aux=True)(self.online)
    self.online = self.adam.step(self.online, gradients)
    if c.gap_threshold is not None:
      gradient = -np.exp(self.log_weight) * (gap - c.gap_threshold)
      (self.log_weight,) = self.weight_adam.step([self.log_weight], [gradient])
    self.target = [t + c.target_update_rate * (o - t) for t, o in zip(self.target, self.online)]


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
    made = dqn.mlp_networks((6, 5))(discrete.SPEC)
  references.disturb(made.q.variables)
  online = [variable.numpy() for variable in discrete.ordered(made.q)]
  reference = _Reference(online, online, config)
  update = discrete_cql.DiscreteCQLBuilder(config).update(made, discrete.SPEC)
  compiled = references.compiled(update)
  for step in range(_STEPS):
    batch = discrete.batch(step, config.n_step)
    reference.step(batch)
    output = compiled(tf.nest.map_structure(tf.constant, batch))
    assert output.priorities is None
  for found, weight in zip(discrete.ordered(made.q), reference.online, strict=True):
    np.testing.assert_allclose(found, weight, atol=1e-5)
  np.testing.assert_allclose(update._weight(), np.exp(reference.log_weight), rtol=1e-5)
