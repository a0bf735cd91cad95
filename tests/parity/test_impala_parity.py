"""IMPALA's update against an independent one in JAX, from the same weights and segments to the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf
from dm_env import specs as dm_specs

from tests.parity import references
from tfacme import core, networks, specs
from tfacme.agents import impala

_FEATURES, _ACTIONS, _SEGMENTS, _LENGTH, _STEPS, _LSTM = 4, 3, 3, 5, 4, 6

_SPEC = specs.EnvironmentSpec(
  dm_specs.Array((_FEATURES,), np.float32),
  dm_specs.DiscreteArray(_ACTIONS),
  dm_specs.Array((), np.float32),
  dm_specs.BoundedArray((), np.float32, 0, 1),
)


def _batch(seed, lstm_size):
  """Segments that run over the ends of episodes, by another policy, from states on the way."""
  rng = np.random.RandomState(seed)
  rows = (_SEGMENTS, _LENGTH + 1)
  last = rng.rand(*rows) < 0.2
  first = np.roll(last, 1, axis=1)
  first[:, 0] = rng.rand(_SEGMENTS) < 0.5
  state = ()
  if lstm_size:
    state = snt.LSTMState(*(rng.randn(_SEGMENTS, 1, lstm_size).astype(np.float32) for _ in range(2)))
  steps = core.Step(
    observation=rng.randn(*rows, _FEATURES).astype(np.float32),
    action=np.where(last, 0, rng.randint(0, _ACTIONS, rows)).astype(np.int32),
    reward=np.where(last, 0.0, 2.0 * rng.randn(*rows)).astype(np.float32),
    discount=np.where(last, 0.0, rng.choice([0.0, 1.0], p=[0.1, 0.9], size=rows)).astype(np.float32),
    first=first,
    last=last,
    extras={'state': state},
  )
  acted = jax.nn.log_softmax(rng.randn(*rows, _ACTIONS))
  log_prob = np.take_along_axis(np.asarray(acted), steps.action[..., None], axis=2)[..., 0].astype(np.float32)
  extras = {'sample': steps.action, 'log_prob': np.where(last, -1e3, log_prob).astype(np.float32), 'state': state}
  steps = steps._replace(extras=extras)
  zeros = np.zeros(_SEGMENTS, np.int64)
  info = core.Info(zeros.astype(np.uint64), np.ones(_SEGMENTS, np.float32), zeros + 1, zeros, zeros)
  return core.Batch(steps, 1.0 - last.astype(np.float32), info)


class _Reference:
  """The same algorithm, row by row and segment by segment, on a dict of weights."""

  def __init__(self, weights, config):
    self.config, self.names = config, sorted(weights)
    self.weights = [weights[name] for name in self.names]
    self.adam = references.Adam(self.weights, config.learning_rate, config.adam_epsilon, config.max_gradient_norm)

  def outputs(self, weights, x, state, first):
    """Log-probabilities [T, A] and values [T] of one segment; the gates of an LSTM are i, f, g, o, as in Sonnet."""
    w = dict(zip(self.names, weights))
    x = jax.nn.relu(x @ w['torso/w'] + w['torso/b'])
    if state is not None:
      hidden, cell, outputs = state[0], state[1], []
      for t in range(len(x)):
        hidden, cell = (jnp.where(first[t], 0.0, part) for part in (hidden, cell))
        gates = x[t] @ w['lstm/w_i'] + hidden @ w['lstm/w_h'] + w['lstm/b']
        i, f, g, o = jnp.split(gates, 4)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(cell)
        outputs.append(hidden)
      x = jnp.stack(outputs)
    logits, value = x @ w['policy/w'] + w['policy/b'], (x @ w['value/w'] + w['value/b'])[:, 0]
    return jax.nn.log_softmax(logits), value

  def loss(self, weights, batch):
    c, total, count = self.config, 0.0, batch.mask[:, :-1].sum()
    for i in range(_SEGMENTS):
      steps = tf.nest.map_structure(lambda x, i=i: x[i], batch.steps)
      state = tf.nest.map_structure(lambda x: x[0], steps.extras['state']) or None
      log_probs, value = self.outputs(weights, steps.observation, state, steps.first)
      v = jax.lax.stop_gradient(value)
      taken = [log_probs[t, steps.action[t]] for t in range(_LENGTH)]
      rho = [jnp.exp(jax.lax.stop_gradient(taken[t]) - steps.extras['log_prob'][t]) for t in range(_LENGTH)]
      reward = np.clip(steps.reward, -c.max_abs_reward, c.max_abs_reward)
      discount = c.discount * steps.discount

      def target(t, v=v, rho=rho, reward=reward, discount=discount, mask=batch.mask[i]):
        """The definition of v-trace: a sum over all rows to the end of the episode (equation 1)."""
        found, factor = v[t], 1.0
        for s in range(t, _LENGTH):
          if not mask[s]:
            break
          delta = jnp.minimum(rho[s], c.clip_rho) * (reward[s] + discount[s] * v[s + 1] - v[s])
          found, factor = found + factor * delta, factor * discount[s] * jnp.minimum(rho[s], 1.0)
        return found

      for t in range(_LENGTH):
        if batch.mask[i, t]:
          onward = target(t + 1) if t + 1 < _LENGTH else v[_LENGTH]
          advantage = jnp.minimum(rho[t], c.clip_policy_rho) * (reward[t] + discount[t] * onward - v[t])
          total += -advantage * log_probs[t, steps.action[t]]
          total += c.baseline_cost * 0.5 * (target(t) - value[t]) ** 2
          total += c.entropy_cost * jnp.sum(jnp.exp(log_probs[t]) * log_probs[t])
    return total / count

  def step(self, batch):
    self.weights = self.adam.step(self.weights, jax.grad(self.loss)(self.weights, batch))


_CONFIGS = {
  'plain': {},
  'clipped': {'max_gradient_norm': 0.1, 'max_abs_reward': 1.0, 'clip_rho': 0.8, 'clip_policy_rho': 1.5},
}


@pytest.mark.parametrize('lstm_size', [None, _LSTM])
@pytest.mark.parametrize('name', list(_CONFIGS))
def test_the_next_weights_agree(name, lstm_size):
  config = impala.IMPALAConfig(
    **{'unroll_length': _LENGTH, 'learning_rate': 1e-2, 'adam_epsilon': 1e-2, **_CONFIGS[name]}
  )
  with networks.seeded(0):
    update = impala.IMPALABuilder(config).update(impala.default_networks((5,), lstm_size=lstm_size)(_SPEC), _SPEC)
  variables = _named(update.published['policy'])
  references.disturb(variables.values())
  reference = _Reference({name: variable.numpy() for name, variable in variables.items()}, config)
  compiled = references.compiled(update)
  for step in range(_STEPS):
    batch = _batch(step, lstm_size)
    assert compiled(tf.nest.map_structure(tf.constant, batch)).priorities is None
    reference.step(batch)
  for name, expected in zip(reference.names, reference.weights):
    np.testing.assert_allclose(variables[name], expected, atol=2e-5, err_msg=name)


def _named(network):
  """The variables by short names."""
  short = {'mlp_torso': 'torso', 'logits': 'policy', 'value': 'value', 'lstm': 'lstm'}
  named = {}
  for variable in network.trainable_variables:
    part = next(new for old, new in short.items() if old in variable.name)
    named[f'{part}/{variable.name.split("/")[-1].split(":")[0]}'] = variable
  return named
