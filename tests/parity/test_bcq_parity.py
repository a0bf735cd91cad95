"""BCQ's update against an independent one in JAX: from the same weights and batches to the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

from tests.parity import continuous, discrete, references
from tfacme import networks
from tfacme.agents import bcq

_STEPS = 4


class _Reference:
  """The same algorithm, on lists of weights of the values and of the imitation."""

  def __init__(self, q, behaviour, config):
    self.config, self.split = config, len(q)
    self.online, self.target = [*q, *behaviour], q
    self.adam = references.Adam(self.online, config.learning_rate, config.adam_epsilon, config.max_gradient_norm)

  def q(self, weights, x):
    return references.layers(weights[: self.split], x, jax.nn.relu)

  def logits(self, weights, x):
    return references.layers(weights[self.split :], x, jax.nn.relu)

  def targets(self, batch):
    """Of the best action among those that are likely enough."""
    c, last = self.config, batch.steps.observation[:, 1]
    probabilities = np.asarray(jax.nn.softmax(self.logits(self.online, last)))
    value = np.asarray(self.q(self.target, last))
    selector = np.asarray(self.q(self.online, last)) if c.double else value
    likely = probabilities / probabilities.max(axis=1, keepdims=True) > c.threshold
    assert not likely.all()
    best = np.argmax(np.where(likely, selector, -np.inf), axis=1)
    return discrete.bootstrapped(batch, discrete.of(value, best), c)

  def loss(self, weights, batch, targets):
    x, action = batch.steps.observation[:, 0], batch.steps.action[:, 0]
    errors, logits = targets - discrete.of(self.q(weights, x), action), self.logits(weights, x)
    imitation = -discrete.of(jax.nn.log_softmax(logits), action)
    cost = self.config.logit_cost * jnp.mean(logits**2)
    return jnp.mean(discrete.huber(errors, self.config.huber_delta)) + jnp.mean(imitation) + cost

  def step(self, batch):
    loss, gradients = jax.value_and_grad(self.loss)(self.online, batch, self.targets(batch))
    self.online = self.adam.step(self.online, gradients)
    if self.adam.t % self.config.target_update_period == 0:
      self.target = self.online[: self.split]
    return loss


_CONFIGS = {
  'of the paper': {'max_gradient_norm': 0.5},
  'n steps, one network': {'n_step': 3, 'double': False, 'threshold': 0.9, 'logit_cost': 0.5, 'huber_delta': 0.3},
}


@pytest.mark.parametrize('name', list(_CONFIGS))
def test_the_next_weights_agree(name):
  config = bcq.BCQConfig(
    **{'learning_rate': 1e-2, 'adam_epsilon': 1e-4, 'target_update_period': 2, 'threshold': 0.8, **_CONFIGS[name]}
  )
  with networks.seeded(0):
    made = bcq.default_networks((6, 5))(discrete.SPEC)
  parts = [continuous.ordered(module) for module in (made.q, made.behaviour)]
  for variables in parts:
    references.disturb(variables)
  update = bcq.BCQBuilder(config).update(made, discrete.SPEC)
  reference = _Reference(*[[variable.numpy() for variable in variables] for variables in parts], config)
  compiled = references.compiled(update)
  for step in range(_STEPS):
    batch = discrete.batch(step, config.n_step)
    output = compiled(tf.nest.map_structure(tf.constant, batch))
    np.testing.assert_allclose(output.metrics['loss'], reference.step(batch), rtol=1e-4)
    assert output.priorities is None
  for found, expected in zip([*parts[0], *parts[1]], reference.online, strict=True):
    np.testing.assert_allclose(found, expected, atol=2e-5)
  for found, expected in zip(continuous.ordered(update._target.network._q), reference.target, strict=True):
    np.testing.assert_allclose(found, expected, atol=2e-5)
