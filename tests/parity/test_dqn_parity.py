"""DQN's update against an independent one in JAX: same weights and batches, so the next weights have to agree."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

from tests.parity import continuous, discrete, references
from tfacme import networks
from tfacme.agents import dqn

_STEPS = 5


class _Reference:
  """The same algorithm, on a list of weights in the order of `update.published['policy'].variables`."""

  def __init__(self, weights, config, duelling):
    self.config, self.duelling = config, duelling
    self.online, self.target = weights, weights
    self.adam = references.Adam(weights, config.learning_rate, config.adam_epsilon, config.max_gradient_norm)

  def q(self, weights, x):
    """The bias comes before the matrix in each layer; the heads follow or precede the torso by their names."""
    layers = [(weights[i], weights[i + 1]) for i in range(0, len(weights), 2)]
    for bias, matrix in layers[:2]:
      x = jax.nn.relu(x @ matrix + bias)
    outputs = [x @ matrix + bias for bias, matrix in layers[2:]]
    if not self.duelling:
      return outputs[0]
    advantage, value = outputs
    return value + advantage - advantage.mean(axis=1, keepdims=True)

  def targets(self, batch):
    """What the values are moved towards."""
    c, steps = self.config, batch.steps
    value = np.asarray(self.q(self.target, steps.observation[:, 1]))
    selector = np.asarray(self.q(self.online, steps.observation[:, 1])) if c.double else value
    return discrete.bootstrapped(batch, discrete.of(value, np.argmax(selector, axis=1)), c)

  def loss(self, weights, batch, targets, importance):
    """The weighted Huber loss, and the errors."""
    q = self.q(weights, batch.steps.observation[:, 0])
    errors = targets - discrete.of(q, batch.steps.action[:, 0])
    return jnp.mean(importance * discrete.huber(errors, self.config.huber_delta)), errors

  def step(self, batch):
    """One learning step; returns the priorities."""
    c = self.config
    importance = np.ones(discrete.BATCH)
    if c.priority_exponent:
      importance = (batch.info.table_size * batch.info.probability) ** -references.at(
        c.importance_exponent, self.adam.t
      )
      importance = importance / importance.max()
    gradients, errors = jax.grad(self.loss, has_aux=True)(self.online, batch, self.targets(batch), importance)
    self.online = self.adam.step(self.online, gradients)
    if c.target_update_rate is not None:
      self.target = [t + c.target_update_rate * (o - t) for t, o in zip(self.target, self.online)]
    elif self.adam.t % c.target_update_period == 0:
      self.target = self.online
    return np.abs(errors) + c.priority_offset


_CONFIGS = {
  'period': {'target_update_period': 2, 'max_gradient_norm': 0.5},
  'rate': {'target_update_period': None, 'target_update_rate': 0.3, 'learning_rate': (1e-2, 1e-3, 3)},
  'schedules': {'target_update_period': 2, 'importance_exponent': (0.4, 1.0, 3), 'n_step': 1, 'huber_delta': 0.3},
  'uniform': {'target_update_period': 2, 'priority_exponent': 0.0, 'double': False, 'n_step': 5, 'max_abs_reward': 1.0},
}


@pytest.mark.parametrize('duelling', [False, True])
@pytest.mark.parametrize('name', list(_CONFIGS))
def test_the_next_weights_agree(name, duelling):
  config = dqn.DQNConfig(**{'learning_rate': 1e-2, **_CONFIGS[name]})
  with networks.seeded(0):
    update = dqn.DQNBuilder(config).update(dqn.mlp_networks((6, 5), duelling)(discrete.SPEC), discrete.SPEC)
  online = continuous.ordered(update.published['policy'])
  references.disturb(online)  # The target starts where it was made.
  reference = _Reference([variable.numpy() for variable in online], config, duelling)
  reference.target = [variable.numpy() for variable in continuous.ordered(update._target.network)]
  compiled = references.compiled(update)
  for step in range(_STEPS):
    batch = discrete.batch(step, config.n_step)
    output = compiled(tf.nest.map_structure(tf.constant, batch))
    priorities = reference.step(batch)
    if config.priority_exponent:
      np.testing.assert_allclose(output.priorities, priorities, atol=1e-5, rtol=1e-5)
    else:
      assert output.priorities is None
  for found, expected in zip(online, reference.online):
    np.testing.assert_allclose(found, expected, atol=1e-5)
  for found, expected in zip(continuous.ordered(update._target.network), reference.target):
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_metrics_and_the_counts():
  config = dqn.DQNConfig(learning_rate=(1.0, 0.0, 10))
  update = dqn.DQNBuilder(config).update(dqn.mlp_networks((6,))(discrete.SPEC), discrete.SPEC)
  before = len(update.variables)
  for step in range(2):
    output = update(tf.nest.map_structure(tf.constant, discrete.batch(0, config.n_step)))
    np.testing.assert_allclose(output.metrics['learning_rate'], 1 - step / 10)
  assert set(output.metrics) == {'loss', 'q', 'td_error', 'gradient_norm', 'learning_rate'}
  assert all(np.isfinite(value) and value.shape == () for value in output.metrics.values())
  np.testing.assert_allclose(output.metrics['td_error'], np.mean(output.priorities) - config.priority_offset, rtol=1e-5)
  assert len(update.variables) == before


def test_it_learns_the_values_of_a_fixed_batch():
  made = dqn.mlp_networks((32,))(discrete.SPEC)
  update = dqn.DQNBuilder(dqn.DQNConfig(learning_rate=1e-2)).update(made, discrete.SPEC)
  compiled, batch = references.compiled(update), tf.nest.map_structure(tf.constant, discrete.batch(0, 3))
  batch = batch._replace(steps=batch.steps._replace(discount=tf.zeros_like(batch.steps.discount)))
  losses = [float(compiled(batch).metrics['loss']) for _ in range(200)]
  assert losses[-1] < 0.05 * losses[0]
