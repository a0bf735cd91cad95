"""R2D2's update against an independent one in JAX, from the same weights and sequences to the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tests.parity import references, sequences
from tfacme import networks, specs
from tfacme.agents import r2d2

_ACTIONS, _STEPS = 3, 4
_PARTS = ('advantage', 'value', 'lstm', 'mlp_torso')

_SPEC = specs.EnvironmentSpec(
  dm_specs.Array((sequences.FEATURES,), np.float32),
  dm_specs.DiscreteArray(_ACTIONS),
  dm_specs.Array((), np.float32),
  dm_specs.BoundedArray((), np.float32, 0, 1),
)


def _draw_actions(rng, real):
  return np.where(real, rng.randint(0, _ACTIONS, real.shape), 0).astype(np.int32)


def _h(x):
  return np.sign(x) * (np.sqrt(np.abs(x) + 1) - 1) + 1e-3 * x


def _inverse_h(y):
  """By bisection, since the closed form is what is tested."""
  low, high = -1e6, 1e6
  for _ in range(100):
    middle = (low + high) / 2
    low, high = (middle, high) if _h(middle) < y else (low, middle)
  return low


class _Reference:
  """The same algorithm, sequence by sequence and row by row, on a dict of weights."""

  def __init__(self, weights, target, config):
    self.config, self.names = config, sorted(weights)
    self.weights, self.target = ([own[name] for name in self.names] for own in (weights, target))
    self.adam = references.Adam(self.weights, config.learning_rate, config.adam_epsilon, config.max_gradient_norm)

  def q(self, weights, observation, state):
    """The values [T, A] of one sequence; no gradient flows out of the burn-in."""
    w = dict(zip(self.names, weights))
    hidden, cell, outputs = state[0], state[1], []
    for t, x in enumerate(observation):
      if t == self.config.burn_in:
        hidden, cell = jax.lax.stop_gradient((hidden, cell))
      x = jax.nn.relu(x @ w['mlp_torso/w'] + w['mlp_torso/b'])
      hidden, cell = sequences.lstm(w, x, hidden, cell)
      advantage, value = hidden @ w['advantage/w'] + w['advantage/b'], hidden @ w['value/w'] + w['value/b']
      outputs.append(value + advantage - advantage.mean())
    return jnp.stack(outputs)

  def targets(self, q, target_q, steps, mask):
    """Of each row that is learned from."""
    c, found = self.config, {}
    for t in range(c.burn_in, len(mask) - 1):
      if not mask[t]:
        continue
      total, factor, s = 0.0, 1.0, t
      while s < min(t + c.n_step, len(mask) - 1) and mask[s]:
        total += factor * np.clip(steps.reward[s], -c.max_abs_reward, c.max_abs_reward)
        factor *= c.discount * steps.discount[s]
        s += 1
      value = target_q[s, np.argmax(q[s])]
      total += factor * (_inverse_h(value) if c.transform_values else value)
      found[t] = _h(total) if c.transform_values else total
    return found

  def step(self, batch):
    """One learning step; returns the priorities."""
    c = self.config
    weights = (batch.info.table_size * batch.info.probability) ** -c.importance_exponent
    weights = weights / weights.max() if c.priority_exponent else np.ones(sequences.BATCH)
    items = [tf.nest.map_structure(lambda x, i=i: x[i], batch.steps) for i in range(sequences.BATCH)]
    targets, priorities = [], []
    for steps, mask in zip(items, batch.mask):
      state = tf.nest.map_structure(lambda x: x[0], steps.extras['state'])
      q, target_q = (np.asarray(self.q(own, steps.observation, state)) for own in (self.weights, self.target))
      targets.append(self.targets(q, target_q, steps, mask))
      errors = [abs(target - q[t, steps.action[t]]) for t, target in targets[-1].items()] or [0.0]
      priorities.append(c.max_priority_weight * max(errors) + (1 - c.max_priority_weight) * np.mean(errors))

    def loss(own):
      total = 0.0
      for steps, target, weight in zip(items, targets, weights):
        q = self.q(own, steps.observation, tf.nest.map_structure(lambda x: x[0], steps.extras['state']))
        total += weight * sum(0.5 * (y - q[t, steps.action[t]]) ** 2 for t, y in target.items())
      return total / sequences.BATCH

    self.weights = self.adam.step(self.weights, jax.grad(loss)(self.weights))
    if self.adam.t % c.target_update_period == 0:
      self.target = self.weights
    return priorities


_CONFIGS = {
  'plain': {'trace_length': 5},
  'burn-in': {'trace_length': 4, 'burn_in': 2, 'n_step': 2},
  'uniform': {'trace_length': 4, 'priority_exponent': 0.0, 'transform_values': False, 'max_abs_reward': 1.0},
}


@pytest.mark.parametrize('name', list(_CONFIGS))
def test_the_next_weights_agree(name):
  config = r2d2.R2D2Config(**{'learning_rate': 1e-2, 'target_update_period': 2, 'n_step': 3, **_CONFIGS[name]})
  with networks.seeded(0):
    update = r2d2.R2D2Builder(config).update(r2d2.default_networks((6,), lstm_size=sequences.LSTM)(_SPEC), _SPEC)
  online, target = (sequences.named(network, _PARTS) for network in (update._online, update._target.network))
  references.disturb(online.values())
  start = [{name: variable.numpy() for name, variable in own.items()} for own in (online, target)]
  reference = _Reference(*start, config)
  compiled = references.compiled(update)
  for step in range(_STEPS):
    batch = sequences.batch(step, config.burn_in + config.trace_length + 1, _draw_actions)
    output = compiled(tf.nest.map_structure(tf.constant, batch))
    priorities = reference.step(batch)
    if config.priority_exponent:
      np.testing.assert_allclose(output.priorities, priorities, rtol=1e-3, atol=1e-4)
    else:
      assert output.priorities is None
  for own, expected in ((online, reference.weights), (target, reference.target)):
    for name, weight in zip(reference.names, expected):
      np.testing.assert_allclose(own[name], weight, atol=3e-5, err_msg=name)
