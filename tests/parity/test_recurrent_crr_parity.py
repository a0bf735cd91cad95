"""Recurrent CRR's update against an independent one in JAX: the same weights from the same sequences and noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

from tests.parity import continuous, discrete, references, sequences
from tfacme import networks
from tfacme.agents import crr

_STEPS = 2
_PARTS = ('log_std', 'lstm', 'mlp_torso', 'mean', 'logits', 'value')


class _Continuous:
  """Actions that are real numbers."""

  spec, samples = continuous.SPEC, True

  def draw(self, rng, real):
    low, high = self.spec.actions.minimum, self.spec.actions.maximum
    return (real[..., None] * rng.uniform(low, high, (*real.shape, continuous.ACTIONS))).astype(np.float32)

  def taken(self, batch, t):
    return continuous.taken(batch, t)

  def log_prob(self, policy, hidden, action):
    return jnp.sum(jax.scipy.stats.norm.logpdf(action, *self._gaussian(policy, hidden)), axis=1)

  def value(self, policy, hidden, q, noises):
    mean, std = self._gaussian(policy, hidden)
    return np.mean([q(np.clip(mean + std * noise, -1, 1)) for noise in noises], axis=0) if noises else None

  def _gaussian(self, policy, hidden):
    mean = jnp.tanh(hidden @ policy['mean/w'] + policy['mean/b'])
    return mean, jnp.exp(-5 + 7 / (1 + jnp.exp(-policy['log_std/log_std'])))


class _Choices:
  """Actions that are choices, as one-hot vectors."""

  spec, samples = discrete.SPEC, False

  def draw(self, rng, real):
    return np.where(real, rng.randint(0, discrete.ACTIONS, real.shape), 0).astype(np.int32)

  def taken(self, batch, t):
    return np.eye(discrete.ACTIONS)[batch.steps.action[:, t]]

  def log_prob(self, policy, hidden, action):
    return jnp.sum(action * jax.nn.log_softmax(hidden @ policy['logits/w'] + policy['logits/b']), axis=1)

  def value(self, policy, hidden, q, noises):
    every = [np.tile(one, (sequences.BATCH, 1)) for one in np.eye(discrete.ACTIONS)]
    return sum(np.exp(self.log_prob(policy, hidden, action)) * q(action) for action in every)


class _Reference:
  """The same algorithm, row by row, on dicts of weights."""

  def __init__(self, kind, policy, critics, config):
    self.kind, self.config = kind, config
    self.policy, self.critics, self.target_policy, self.target_critics = policy, critics, policy, critics
    adam = lambda weights, rate: references.Adam(list(weights.values()), rate, config.adam_epsilon)
    self.policy_adam = adam(policy, config.policy_learning_rate)
    self.critic_adams = [adam(critic, config.critic_learning_rate) for critic in critics]

  def states(self, weights, inputs, state):
    """Before each of the inputs [T][B, F], and after the last; no gradient flows out of the burn-in."""
    states = [state]
    for t, x in enumerate(inputs):
      if t == self.config.burn_in:
        states[-1] = jax.lax.stop_gradient(states[-1])
      states.append(_after(weights, x, states[-1]))
    return states

  def look(self, policy, critics, rows, batch, noises):
    """Of the rows t: the lowest values of what was done, and the mean ones of what the policy would do, {t: [B]}."""
    x, taken, both, stored, empty = self.inputs(batch)
    own, each = self.states(policy, x, stored), [self.states(critic, both, empty) for critic in critics]
    done, value = {}, {}
    for t in rows:
      q = lambda a, t=t: np.min([_q(w, x[t], a, states[t]) for w, states in zip(critics, each)], axis=0)
      hidden, _ = own[t + 1]
      done[t] = q(taken[t])
      value[t] = self.kind.value(policy, hidden, q, [noise[:, t - self.config.burn_in] for noise in noises])
    return done, value

  def inputs(self, batch):
    """Observations and actions of each row, both together, and the states before the first one."""
    x = [batch.steps.observation[:, t] for t in range(batch.mask.shape[1])]
    taken = [self.kind.taken(batch, t) for t in range(len(x))]
    stored = tuple(leaf[:, 0] for leaf in batch.steps.extras['state'])
    empty = (np.zeros_like(stored[0]),) * 2
    return x, taken, [np.concatenate(pair, axis=1) for pair in zip(x, taken)], stored, empty

  def target(self, steps, mask, t, ends):
    """From row t of one item: (the n-step return, whether its end has a value); `ends` are the values of rows."""
    c, total, factor, s = self.config, 0.0, 1.0, t
    while s < min(t + c.n_step, len(mask) - 1) and mask[s]:
      total += factor * c.reward_scale * steps.reward[s]
      factor *= c.discount * steps.discount[s]
      s += 1
    return total + factor * ends[s], not (c.sarsa_targets and factor and not mask[s])

  def step(self, batch, noises):
    """One learning step; the first of the noises [M][B, T, D] are for the networks that learn."""
    c, m, rows = self.config, self.config.action_samples, range(self.config.burn_in, batch.mask.shape[1])
    done, value = self.look(self.policy, self.critics, rows[:-1], batch, noises[:m])
    later = self.look(self.target_policy, self.target_critics, rows, batch, noises[m:])[0 if c.sarsa_targets else 1]
    items = [tf.nest.map_structure(lambda leaf, i=i: leaf[i], batch.steps) for i in range(sequences.BATCH)]
    weights, targets, counts = {}, {}, {}
    for t in rows[:-1]:
      advantages = done[t] - value[t]
      exponential = np.minimum(np.exp(advantages / c.temperature), c.max_weight)
      weights[t] = exponential if c.weights == 'exponential' else 1.0 * (advantages > 0)
      found = [
        self.target(item, batch.mask[i], t, {s: ends[i] for s, ends in later.items()}) for i, item in enumerate(items)
      ]
      targets[t], counts[t] = np.transpose(found)
    x, taken, both, stored, empty = self.inputs(batch)
    mean = lambda of: sum(jnp.sum(batch.mask[:, t] * of(t)) for t in rows[:-1]) / batch.mask[:, rows[0] : -1].sum()

    def policy_loss(policy):
      states = self.states(policy, x, stored)
      return mean(lambda t: -weights[t] * self.kind.log_prob(policy, states[t + 1][0], taken[t]))

    def critic_loss(critic):
      states = self.states(critic, both, empty)
      return mean(lambda t: counts[t] * (targets[t] - _q(critic, x[t], taken[t], states[t])) ** 2)

    self.policy = _stepped(self.policy_adam, self.policy, policy_loss)
    self.critics = [_stepped(adam, critic, critic_loss) for adam, critic in zip(self.critic_adams, self.critics)]
    if self.policy_adam.t % c.target_update_period == 0:
      self.target_policy, self.target_critics = self.policy, self.critics


def _after(weights, x, state):
  return sequences.lstm(weights, jax.nn.relu(x @ weights['mlp_torso/w'] + weights['mlp_torso/b']), *state)


def _q(critic, x, action, state):
  hidden, _ = _after(critic, jnp.concatenate([x, action], axis=1), state)
  return (hidden @ critic['value/w'] + critic['value/b'])[:, 0]


def _stepped(adam, weights, loss):
  gradients = jax.grad(loss)(weights)
  stepped = adam.step(list(weights.values()), [gradients[name] for name in weights])
  return dict(zip(weights, stepped))


_CONFIGS = {
  'burn-in': {'burn_in': 2, 'trace_length': 3, 'n_step': 2, 'temperature': 0.1},
  'one step of improvement': {'trace_length': 4, 'sarsa_targets': True, 'n_step': 2, 'weights': 'indicator'},
}


@pytest.mark.parametrize(
  'name, kind',
  [
    ('burn-in', _Continuous()),
    pytest.param('one step of improvement', _Continuous(), marks=pytest.mark.slow),
    pytest.param('burn-in', _Choices(), marks=pytest.mark.slow),
  ],
)
def test_the_next_weights_agree(name, kind):
  rates = dict.fromkeys(('policy_learning_rate', 'critic_learning_rate'), 1e-2)
  config = crr.CRRConfig(target_update_period=1, action_samples=2, reward_scale=0.1, **rates, **_CONFIGS[name])
  with networks.seeded(0):
    made = crr.default_networks((6,), lstm_size=sequences.LSTM, critics=2)(kind.spec)
  named = [sequences.named(module, _PARTS) for module in (made.policy, *made.critics)]
  for variables in named:
    references.disturb(variables.values())
  policy, *critics = [{name: variable.numpy() for name, variable in own.items()} for own in named]
  reference = _Reference(kind, policy, critics, config)
  update = crr.CRRBuilder(config).update(made, kind.spec)
  compiled, draws = references.compiled(update), 0
  for step in range(_STEPS):
    batch = sequences.batch(step, config.burn_in + config.trace_length + 1, kind.draw)
    noises = []
    for rows in (config.trace_length, config.trace_length + 1)[: 1 if config.sarsa_targets else 2]:
      for _ in range(config.action_samples if kind.samples else 0):
        shape = [sequences.BATCH, rows, continuous.ACTIONS]
        noises.append(tf.random.stateless_normal(shape, [references.SEED, draws]).numpy())
        draws += 1
    reference.step(batch, noises)
    compiled(tf.nest.map_structure(tf.constant, batch))
  targets = [update._target_policy.network, *update._target_critics.network.members]
  named += [sequences.named(module, _PARTS) for module in targets]
  expected = [reference.policy, *reference.critics, reference.target_policy, *reference.target_critics]
  for variables, weights in zip(named, expected, strict=True):
    for name, variable in variables.items():
      np.testing.assert_allclose(variable, weights[name], atol=3e-5, err_msg=name)
