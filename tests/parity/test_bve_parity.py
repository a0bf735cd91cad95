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

  def ranking(self, q, steps):
    """The weighted penalties [B], pair by pair in plain loops."""
    returns, penalties = steps.extras['return_to_go'][:, 0].astype(np.float64), []
    weights = np.exp((returns - np.mean(returns)) / np.std(returns))
    for i, taken in enumerate(steps.action[:, 0]):
      above = [q[i, a] - q[i, taken] + self.config.ranking_margin for a in range(discrete.ACTIONS) if a != taken]
      penalties.append(sum(jnp.where(x > 0, x**2, 0.0) for x in above) * weights[i] / np.mean(weights))
    return jnp.stack(penalties)

  def step(self, batch):
    c, steps = self.config, batch.steps
    following = discrete.of(np.asarray(self.q(self.target, steps.observation[:, 1])), steps.action[:, -1])
    targets = discrete.bootstrapped(batch, following, c)
    # After a truncation there is a value to learn from, but of no action.
    whole = discrete.bootstrapped(batch, np.ones(discrete.BATCH), c) != discrete.bootstrapped(batch, 0 * targets, c)
    counts = np.where(whole & (batch.mask[:, -1] == 0), 0.0, 1.0)

    def loss(weights):
      q = self.q(weights, steps.observation[:, 0])
      errors = targets - discrete.of(q, steps.action[:, 0])
      squares = counts * discrete.huber(errors, c.huber_delta)
      return jnp.mean(squares + c.ranking_weight * self.ranking(q, steps))

    value, gradients = jax.value_and_grad(loss)(self.online)
    self.online = self.adam.step(self.online, gradients)
    if self.adam.t % c.target_update_period == 0:
      self.target = self.online
    return value, counts


def _batch(step, n):
  """A batch with returns."""
  batch, returns = discrete.batch(step, n), np.random.RandomState(step).randn(discrete.BATCH, n + 1)
  return batch._replace(steps=batch.steps._replace(extras={'return_to_go': 5 * returns.astype(np.float32)}))


_RANKED = {'ranking_weight': 0.7, 'ranking_margin': 0.4}


@pytest.mark.parametrize('changes', [{}, {'n_step': 3, 'huber_delta': 0.3, 'max_abs_reward': 1.0, **_RANKED}])
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
    batch = _batch(step, config.n_step)
    output = compiled(tf.nest.map_structure(tf.constant, batch))
    loss, counts = reference.step(batch)
    np.testing.assert_allclose(output.metrics['loss'], loss, rtol=1e-4)
    counted.append(counts)
  assert 0.2 < np.mean(counted) < 0.95
  for found, expected in zip(variables, reference.online, strict=True):
    np.testing.assert_allclose(found, expected, atol=2e-5)
  for found, expected in zip(continuous.ordered(update._target.network), reference.target, strict=True):
    np.testing.assert_allclose(found, expected, atol=2e-5)
