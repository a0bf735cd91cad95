"""BC's update against an independent one in JAX, from the same weights and batches to the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tests.parity import references
from tfacme import core, networks, specs
from tfacme.agents import bc

_FEATURES, _BATCH, _STEPS = 4, 8, 4
_LOW, _HIGH = np.array([-2.0, 0.0]), np.array([2.0, 1.0])
_DISCRETE = dm_specs.DiscreteArray(3)
_CONTINUOUS = dm_specs.BoundedArray((2,), np.float32, _LOW, _HIGH)


def _spec(actions):
  reward, discount = dm_specs.Array((), np.float32), dm_specs.BoundedArray((), np.float32, 0, 1)
  return specs.EnvironmentSpec(dm_specs.Array((_FEATURES,), np.float32), actions, reward, discount)


def _batch(seed, actions):
  rng = np.random.RandomState(seed)
  action = rng.randint(0, 3, (_BATCH, 2)) if actions is _DISCRETE else rng.uniform(_LOW, _HIGH, (_BATCH, 2, 2))
  zeros = np.zeros((_BATCH, 2), np.float32)
  observation = rng.randn(_BATCH, 2, _FEATURES).astype(np.float32)
  steps = core.Step(observation, action.astype(actions.dtype), zeros, zeros, zeros > 0, zeros > 0)
  return core.Batch(steps, 1.0 - zeros, None)


def _loss(weights, layers, batch, discrete, mse):
  output = references.layers(weights[:layers], batch.steps.observation[:, 0], jax.nn.relu)
  action = batch.steps.action[:, 0]
  if discrete:
    return -jnp.mean(jax.nn.log_softmax(output)[jnp.arange(_BATCH), action])
  action = 2 * (action - _LOW) / (_HIGH - _LOW) - 1
  if mse:
    return jnp.mean((output - action) ** 2)
  return -jnp.mean(jnp.sum(jax.scipy.stats.norm.logpdf(action, output, jnp.exp(weights[layers])), axis=1))


@pytest.mark.parametrize(
  'actions, loss', [(_DISCRETE, 'log_likelihood'), (_CONTINUOUS, 'log_likelihood'), (_CONTINUOUS, 'mse')]
)
def test_the_next_weights_agree(actions, loss):
  config = bc.BCConfig(loss=loss, learning_rate=(1e-2, 1e-3, 3), adam_epsilon=1e-3, max_gradient_norm=0.5)
  with networks.seeded(0):
    update = bc.BCBuilder(config).update(bc.default_networks((6,))(_spec(actions)), _spec(actions))
  policy = update.published['policy']
  weights = [v for v in policy.trainable_variables if 'log_std' not in v.name]
  weights = sorted(weights, key=lambda v: ('mlp' not in v.name, v.name))
  variables = [*weights, *(v for v in policy.trainable_variables if 'log_std' in v.name)]
  references.disturb(variables)
  expected = [variable.numpy() for variable in variables]
  adam = references.Adam(expected, config.learning_rate, config.adam_epsilon, config.max_gradient_norm)
  compiled = tf.function(lambda steps, mask: update(core.Batch(steps, mask, None)), autograph=False)
  for step in range(_STEPS):
    batch = _batch(step, actions)
    settings = (len(weights), batch, actions is _DISCRETE, loss == 'mse')
    value, gradients = jax.value_and_grad(_loss)(expected, *settings)
    found = compiled(tf.nest.map_structure(tf.constant, batch.steps), batch.mask).metrics['loss']
    np.testing.assert_allclose(
      found, _loss(expected, len(weights), batch, actions is _DISCRETE, loss == 'mse'), rtol=1e-4
    )
    expected = adam.step(expected, gradients)
  for variable, weight in zip(variables, expected):
    np.testing.assert_allclose(variable, weight, atol=2e-5)
