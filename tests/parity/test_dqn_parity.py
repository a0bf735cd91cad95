"""DQN's update against an independent one in JAX: same weights and batches, so the next weights have to agree."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tests.parity import references
from tfacme import core, networks, specs
from tfacme.agents import dqn

_ACTIONS, _FEATURES, _BATCH, _STEPS = 3, 4, 8, 5

_SPEC = specs.EnvironmentSpec(
  dm_specs.Array((_FEATURES,), np.float32),
  dm_specs.DiscreteArray(_ACTIONS),
  dm_specs.Array((), np.float32),
  dm_specs.BoundedArray((), np.float32, 0, 1),
)


def _batch(seed, n):
  """A batch with whole, terminated, truncated and padded items."""
  rng = np.random.RandomState(seed)
  rows = (_BATCH, n + 1)
  lengths = rng.randint(1, n + 2, size=_BATCH)  # n + 1: the last row starts a transition too.
  mask = (np.arange(n + 1) < lengths[:, None]).astype(np.float32)
  discounts = mask * rng.choice([0.0, 0.5, 1.0], p=[0.1, 0.1, 0.8], size=rows).astype(np.float32)
  steps = core.Step(
    observation=rng.randn(_BATCH, 2, _FEATURES).astype(np.float32),
    action=rng.randint(0, _ACTIONS, rows).astype(np.int32),
    reward=(3 * rng.randn(*rows) * mask).astype(np.float32),
    discount=discounts,
    first=np.zeros(rows, bool),
    last=mask == 0,
  )
  zeros = np.zeros(_BATCH, np.int64)
  sizes = np.full(_BATCH, 100, np.int64)
  info = core.Info(zeros.astype(np.uint64), rng.uniform(0.001, 0.1, _BATCH).astype(np.float32), sizes, zeros, zeros)
  return core.Batch(steps, mask, info)


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
    """Item by item, in plain loops."""
    c, steps = self.config, batch.steps
    value = np.asarray(self.q(self.target, steps.observation[:, 1]))
    selector = np.asarray(self.q(self.online, steps.observation[:, 1])) if c.double else value
    targets = []
    for i in range(_BATCH):
      total, factor = 0.0, 1.0
      for k in range(c.n_step):
        if not batch.mask[i, k]:
          break
        total += factor * np.clip(steps.reward[i, k], -c.max_abs_reward, c.max_abs_reward)
        factor *= c.discount * steps.discount[i, k]
      targets.append(total + factor * value[i, np.argmax(selector[i])])
    return np.array(targets, np.float32)

  def loss(self, weights, batch, targets, importance):
    """The weighted Huber loss, and the errors."""
    q = self.q(weights, batch.steps.observation[:, 0])
    errors = targets - q[jnp.arange(_BATCH), batch.steps.action[:, 0]]
    size, delta = jnp.abs(errors), self.config.huber_delta
    huber = jnp.where(size <= delta, errors**2 / 2, delta * (size - delta / 2))
    return jnp.mean(importance * huber), errors

  def step(self, batch):
    """One learning step; returns the priorities."""
    c = self.config
    importance = np.ones(_BATCH)
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
    update = dqn.DQNBuilder(config).update(dqn.mlp_networks((6, 5), duelling)(_SPEC), _SPEC)
  online = _ordered(update.published['policy'])
  references.disturb(online)  # The target starts where it was made.
  reference = _Reference([variable.numpy() for variable in online], config, duelling)
  reference.target = [variable.numpy() for variable in _ordered(update._target.network)]
  compiled = references.compiled(update)
  for step in range(_STEPS):
    batch = _batch(step, config.n_step)
    output = compiled(tf.nest.map_structure(tf.constant, batch))
    priorities = reference.step(batch)
    if config.priority_exponent:
      np.testing.assert_allclose(output.priorities, priorities, atol=1e-5, rtol=1e-5)
    else:
      assert output.priorities is None
  for found, expected in zip(online, reference.online):
    np.testing.assert_allclose(found, expected, atol=1e-5)
  for found, expected in zip(_ordered(update._target.network), reference.target):
    np.testing.assert_allclose(found, expected, atol=1e-5)


def _ordered(module):
  """Bias and matrix of each layer, the torso's first: by their names, `.../b:0` before `.../w:0`."""
  return sorted(module.variables, key=lambda v: ('mlp' not in v.name, v.name))


def test_the_metrics_and_the_counts():
  config = dqn.DQNConfig(learning_rate=(1.0, 0.0, 10))
  update = dqn.DQNBuilder(config).update(dqn.mlp_networks((6,))(_SPEC), _SPEC)
  before = len(update.variables)
  for step in range(2):
    output = update(tf.nest.map_structure(tf.constant, _batch(0, config.n_step)))
    np.testing.assert_allclose(output.metrics['learning_rate'], 1 - step / 10)
  assert set(output.metrics) == {'loss', 'q', 'td_error', 'gradient_norm', 'learning_rate'}
  assert all(np.isfinite(value) and value.shape == () for value in output.metrics.values())
  np.testing.assert_allclose(output.metrics['td_error'], np.mean(output.priorities) - config.priority_offset, rtol=1e-5)
  assert len(update.variables) == before


def test_it_learns_the_values_of_a_fixed_batch():
  update = dqn.DQNBuilder(dqn.DQNConfig(learning_rate=1e-2)).update(dqn.mlp_networks((32,))(_SPEC), _SPEC)
  compiled, batch = references.compiled(update), tf.nest.map_structure(tf.constant, _batch(0, 3))
  batch = batch._replace(steps=batch.steps._replace(discount=tf.zeros_like(batch.steps.discount)))
  losses = [float(compiled(batch).metrics['loss']) for _ in range(200)]
  assert losses[-1] < 0.05 * losses[0]
