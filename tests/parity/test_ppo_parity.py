"""PPO's update against an independent one in JAX, from the same weights, segments and orders to the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tests.parity import references
from tfacme import core, networks, specs
from tfacme.agents import ppo

_FEATURES, _SEGMENTS, _LENGTH, _STEPS = 4, 3, 6, 3

_DISCRETE = dm_specs.DiscreteArray(3)
_CONTINUOUS = dm_specs.BoundedArray((2,), np.float32, -1.0, 1.0)


def _spec(actions):
  reward, discount = dm_specs.Array((), np.float32), dm_specs.BoundedArray((), np.float32, 0, 1)
  return specs.EnvironmentSpec(dm_specs.Array((_FEATURES,), np.float32), actions, reward, discount)


def _batch(seed, actions):
  """Segments that run over the ends of episodes, with log-probabilities of another policy."""
  rng = np.random.RandomState(seed)
  rows = (_SEGMENTS, _LENGTH + 1)
  last = rng.rand(*rows) < 0.15
  discount = np.where(last, 0.0, rng.choice([0.0, 1.0], p=[0.1, 0.9], size=rows)).astype(np.float32)
  if actions is _DISCRETE:
    sample = rng.randint(0, 3, rows).astype(np.int32)
  else:
    sample = rng.randn(*rows, 2).astype(np.float32)
  sample[last] = 0
  extras = {'sample': sample, 'log_prob': np.where(last, -1e3, -1.5 + 0.3 * rng.randn(*rows)).astype(np.float32)}
  steps = core.Step(
    observation=(1.0 + 2.0 * rng.randn(*rows, _FEATURES)).astype(np.float32),
    action=np.clip(sample, -1, 1),
    reward=np.where(last, 0.0, rng.randn(*rows)).astype(np.float32),
    discount=discount,
    first=np.zeros(rows, bool),
    last=last,
    extras=extras,
  )
  zeros = np.zeros(_SEGMENTS, np.int64)
  info = core.Info(zeros.astype(np.uint64), np.ones(_SEGMENTS, np.float32), zeros + 1, zeros, zeros)
  return core.Batch(steps, 1.0 - last.astype(np.float32), info)


class _Reference:
  """The same algorithm on lists of weights; all observations and targets that were seen are kept."""

  def __init__(self, policy, value, log_std, config, normalize):
    self.config, self.normalize, self.sizes = config, normalize, (len(policy), len(value))
    self.weights = [*policy, *value, *([] if log_std is None else [log_std])]
    self.adam = references.Adam(self.weights, config.learning_rate, config.adam_epsilon, config.max_gradient_norm)
    self.seen, self.targets = [], []

  def normalized(self, x):
    if not (self.normalize and self.seen):
      return x
    every = np.concatenate(self.seen)
    return np.clip((x - every.mean(axis=0)) / every.std(axis=0), -10, 10)

  def parts(self, weights):
    policy, value = self.sizes
    return weights[:policy], weights[policy : policy + value], weights[policy + value :]

  def value(self, weights, x):
    return references.layers(self.parts(weights)[1], self.normalized(x), jnp.tanh)[..., 0]

  def log_prob_and_entropy(self, weights, x, sample):
    policy, _, log_std = self.parts(weights)
    output = references.layers(policy, self.normalized(x), jnp.tanh)
    if not log_std:
      log_probs = jax.nn.log_softmax(output)
      entropy = -jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)
      return jnp.take_along_axis(log_probs, sample[:, None], axis=1)[:, 0], entropy
    std = jnp.exp(log_std[0])
    entropy = jnp.sum(0.5 * jnp.log(2 * jnp.pi * jnp.e * std**2)) * jnp.ones(len(sample))
    return jnp.sum(jax.scipy.stats.norm.logpdf(sample, output, std), axis=1), entropy

  def moments(self):
    """Of the targets of the values, each learning step's weight decayed once for each that came after it."""
    weights = [self.config.value_decay ** (len(self.targets) - 1 - i) for i in range(len(self.targets))]
    weights = np.concatenate([np.full(len(t), w) for t, w in zip(self.targets, weights)])
    every = np.concatenate(self.targets)
    mean = np.average(every, weights=weights)
    return mean, np.sqrt(np.average((every - mean) ** 2, weights=weights))

  def advantages(self, batch, values):
    c, steps = self.config, batch.steps
    advantages = np.zeros((_SEGMENTS, _LENGTH))
    for i in range(_SEGMENTS):
      for t in range(_LENGTH):
        factor = 1.0
        for k in range(t, _LENGTH):
          if not batch.mask[i, k]:
            break
          delta = steps.reward[i, k] + c.discount * steps.discount[i, k] * values[i, k + 1] - values[i, k]
          advantages[i, t] += factor * delta
          factor *= c.discount * steps.discount[i, k] * c.gae_lambda
    return advantages

  def step(self, batch, orders):
    c, steps = self.config, batch.steps
    old = raw = np.asarray(self.value(self.weights, steps.observation))
    if c.normalize_values and self.targets:
      mean, std = self.moments()
      old = raw * std + mean
    advantages = self.advantages(batch, old)
    targets, mask = advantages + old[:, :-1], batch.mask[:, :-1]
    if c.normalize_values:
      self.targets.append(targets[mask > 0])
      mean, std = self.moments()
      targets = (targets - mean) / std
    flat = lambda x: x[:, :_LENGTH].reshape(_SEGMENTS * _LENGTH, *x.shape[2:])
    data = [flat(x) for x in (steps.observation, steps.extras['sample'], steps.extras['log_prob'])]
    data += [flat(x) for x in (advantages, raw, targets, mask)]
    for order in orders:
      for chosen in np.split(order, c.minibatches):
        part = [x[chosen] for x in data]
        gradients = jax.grad(self.loss)(self.weights, part, references.at(c.clip, self.adam.t))
        self.weights = self.adam.step(self.weights, gradients)
    self.seen.append(steps.observation.reshape(-1, _FEATURES))

  def loss(self, weights, part, clip):
    c = self.config
    x, sample, old_log_prob, advantage, raw, target = (values[part[-1] > 0] for values in part[:-1])
    if c.normalize_advantages:
      advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    log_prob, entropy = self.log_prob_and_entropy(weights, x, sample)
    ratio = jnp.exp(log_prob - old_log_prob)
    surrogate = jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - clip, 1 + clip) * advantage)
    value = self.value(weights, x)
    errors = (value - target) ** 2
    if np.isfinite(c.value_clip):
      near = raw + jnp.clip(value - raw, -c.value_clip, c.value_clip)
      errors = jnp.maximum(errors, (near - target) ** 2)
    loss = -surrogate + c.value_cost * 0.5 * errors - c.entropy_cost * entropy
    return jnp.mean(loss)


_CONFIGS = {
  'plain': {},
  'schedules': {'learning_rate': (1e-2, 1e-3, 8), 'clip': (0.3, 0.05, 8), 'entropy_cost': 0.1, 'gae_lambda': 0.7},
  'normalized': {'normalize_values': True, 'value_decay': 0.5, 'value_clip': 0.1, 'normalize_advantages': False},
}


@pytest.mark.parametrize('actions', [_DISCRETE, _CONTINUOUS], ids=['discrete', 'continuous'])
@pytest.mark.parametrize('name', list(_CONFIGS))
def test_the_next_weights_agree(name, actions):
  settings = {'unroll_length': _LENGTH, 'batch_size': _SEGMENTS, 'epochs': 2, 'minibatches': 3, 'learning_rate': 1e-2}
  # A large epsilon: where a gradient is nearly 0, Adam would take a whole step by its sign, which is rounding.
  config = ppo.PPOConfig(**{**settings, 'adam_epsilon': 1e-2, **_CONFIGS[name]})
  normalize = name == 'normalized'
  with networks.seeded(0):
    made = ppo.default_networks((5,), normalize_observations=normalize)(_spec(actions))
    update = ppo.PPOBuilder(config).update(made, _spec(actions))
  modules = [_weights(made.policy), _weights(made.value)]
  log_std = next((v for v in made.policy.trainable_variables if 'log_std' in v.name), None)
  variables = [*modules[0], *modules[1], *([] if log_std is None else [log_std])]
  references.disturb(variables)
  start = [[v.numpy() for v in module] for module in modules]
  reference = _Reference(*start, None if log_std is None else log_std.numpy(), config, normalize)
  compiled = references.compiled(update)
  for step in range(_STEPS):
    batch = _batch(step, actions)
    seeds = [networks.fold(tf.constant([references.SEED, step]), epoch) for epoch in range(2)]
    orders = [tf.random.experimental.stateless_shuffle(tf.range(18), seed).numpy() for seed in seeds]
    output = compiled(tf.nest.map_structure(tf.constant, batch))
    reference.step(batch, orders)
  assert output.priorities is None and all(np.isfinite(value) for value in output.metrics.values())
  for found, expected in zip(variables, reference.weights):
    np.testing.assert_allclose(found, expected, atol=3e-5)


def _weights(module):
  """Bias and matrix of each layer, the torso's first."""
  weights = [v for v in module.trainable_variables if 'log_std' not in v.name]
  return sorted(weights, key=lambda v: ('mlp' not in v.name, v.name))
