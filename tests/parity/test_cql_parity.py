"""CQL's update against an independent one in JAX: from the same weights, batches and noise to the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

from tests.parity import continuous, references
from tfacme import networks
from tfacme.agents import cql

_STEPS, _SAMPLES, _DRAWS = 3, 3, 5


class _Reference:
  """The same algorithm, on lists of weights: bias and matrix of each layer."""

  def __init__(self, policy, critics, targets, config):
    self.config, self.steps = config, 0
    self.policy, self.critics, self.targets = policy, critics, targets
    self.log_alpha, self.log_weight = 0.0, np.log(config.conservative_weight)
    adam = lambda weights, rate: references.Adam(weights, rate, config.adam_epsilon)
    self.policy_adam = adam(policy, config.policy_learning_rate)
    self.critic_adams = [adam(critic, config.critic_learning_rate) for critic in critics]
    self.alpha_adam = adam([np.zeros(())], config.temperature_learning_rate)
    self.weight_adam = adam([np.zeros(())], config.conservative_weight_learning_rate)

  def samples(self, x, last, draws):
    """Sampled actions [B, 3N, D] and their densities [B, 3N]: uniform ones, of the policy, and of what follows."""
    first, first_density = continuous.squashed(self.policy, x, draws[1])
    following, following_density = continuous.squashed(self.policy, last, draws[2])
    uniform_density = np.full(first_density.shape, 0.5**continuous.ACTIONS)
    densities = [uniform_density, np.exp(first_density), np.exp(following_density)]
    return np.concatenate([draws[3], first, following], axis=1), np.concatenate(densities, axis=1)

  def integral(self, critic, x, actions, densities, returns):
    """The integral of exp Q over actions [B], as the mean over all samples of exp Q divided by their densities."""
    count = 3 * _SAMPLES
    q = continuous.value(critic, np.repeat(x, count, axis=0), actions.reshape(-1, continuous.ACTIONS))
    q = q.reshape(-1, count)
    if self.config.calibrated:
      q = jnp.where(np.arange(count) < _SAMPLES, q, jnp.maximum(q, returns[:, None]))
    return jnp.mean(jnp.exp(q) / densities, axis=1)

  def step(self, batch, draws):
    c, steps = self.config, batch.steps
    x, last, taken = steps.observation[:, 0], steps.observation[:, 1], continuous.taken(batch)
    alpha = np.exp(self.log_alpha) if c.temperature is None else c.temperature
    action, log_prob = continuous.squashed(self.policy, last, draws[0])
    value = np.minimum(*[continuous.value(target, last, action) for target in self.targets])
    y = continuous.bootstrapped(batch, value - (alpha * log_prob if c.backup_entropy else 0), c, c.reward_scale)
    sampled = (*self.samples(x, last, draws), c.reward_scale * steps.extras['return_to_go'][:, 0])

    def critic_loss(critic):
      q = continuous.value(critic, x, taken)
      gap = jnp.mean(jnp.log(self.integral(critic, x, *sampled)) - q)
      return jnp.mean((y - q) ** 2) + np.exp(self.log_weight) * gap, gap

    gradients, gaps = zip(*[jax.grad(critic_loss, has_aux=True)(critic) for critic in self.critics])
    self.critics = [adam.step(w, g) for adam, w, g in zip(self.critic_adams, self.critics, gradients)]

    def policy_loss(policy):
      action, log_prob = continuous.squashed(policy, x, draws[4])
      mean, std = continuous.before_the_tangent(policy, x)
      normal = jax.scipy.stats.norm.logpdf(np.arctanh(taken), mean, std)
      likelihood = jnp.sum(normal - np.log(1 - taken**2), axis=1)
      q = jnp.minimum(*[continuous.value(critic, x, action) for critic in self.critics])
      return jnp.mean(alpha * log_prob - (likelihood if self.steps < c.bc_steps else q)), log_prob

    gradients, log_prob = jax.grad(policy_loss, has_aux=True)(self.policy)
    self.policy = self.policy_adam.step(self.policy, gradients)
    if c.temperature is None:
      gradient = -np.exp(self.log_alpha) * np.mean(log_prob - continuous.ACTIONS)
      (self.log_alpha,) = self.alpha_adam.step([self.log_alpha], [gradient])
    if c.gap_threshold is not None:
      gradient = -np.exp(self.log_weight) * (np.mean(gaps) - c.gap_threshold)
      (self.log_weight,) = self.weight_adam.step([self.log_weight], [gradient])
    pairs = zip(self.targets, self.critics)
    self.targets = [continuous.followed(target, critic, c.target_update_rate) for target, critic in pairs]
    self.steps += 1


_CONFIGS = {
  'learned weight and temperature': {'gap_threshold': 0.5, 'temperature': None},
  'cloning first, and calibrated': {
    **{'bc_steps': 2, 'calibrated': True, 'reward_scale': 3.0, 'n_step': 2},
    **{'temperature': 0.2, 'backup_entropy': True},
  },
}


def _draws(step):
  """What an update draws in a step, in order: actions that follow, three kinds of samples, the policy's actions."""
  seeds = [[references.SEED, _DRAWS * step + use] for use in range(_DRAWS)]
  several = [continuous.BATCH, _SAMPLES, continuous.ACTIONS]
  noises = [tf.random.stateless_normal(several, seed).numpy() for seed in seeds[1:3]]
  uniform = tf.random.stateless_uniform(several, networks.fold(seeds[3], 0), -1.0, 1.0).numpy()
  return [continuous.noise(seeds[0]), *noises, uniform, continuous.noise(seeds[4])]


def _batch(step, n):
  """A batch with returns, of which about half are above the values."""
  returns = np.random.RandomState(step).randn(continuous.BATCH, n + 1).astype(np.float32)
  batch = continuous.batch(step, n)
  return batch._replace(steps=batch.steps._replace(extras={'return_to_go': returns / 3}))


@pytest.mark.parametrize('name', list(_CONFIGS))
def test_the_next_weights_agree(name):
  rates = ('policy_learning_rate', 'critic_learning_rate', 'temperature_learning_rate')
  rates = dict.fromkeys((*rates, 'conservative_weight_learning_rate'), 1e-2)
  config = cql.CQLConfig(target_update_rate=0.3, action_samples=_SAMPLES, **rates, **_CONFIGS[name])
  with networks.seeded(0):
    made = cql.default_networks((6, 5))(continuous.SPEC)
  for module in (made.policy, *made.critics):
    references.disturb(module.variables)
  update = cql.CQLBuilder(config).update(made, continuous.SPEC)
  modules = [made.policy, *made.critics, *update._targets.network._members]
  policy, *values = [[variable.numpy() for variable in continuous.ordered(module)] for module in modules]
  reference, compiled = _Reference(policy, values[:2], values[2:], config), references.compiled(update)
  for step in range(_STEPS):
    batch = _batch(step, config.n_step)
    reference.step(batch, _draws(step))
    assert compiled(tf.nest.map_structure(tf.constant, batch)).priorities is None
  expected = [reference.policy, *reference.critics, *reference.targets]
  for module, weights in zip(modules, expected, strict=True):
    for found, weight in zip(continuous.ordered(module), weights, strict=True):
      np.testing.assert_allclose(found, weight, atol=2e-5)
  np.testing.assert_allclose(update._log_temperature, reference.log_alpha, atol=1e-5)
  np.testing.assert_allclose(update._weight(), np.exp(reference.log_weight), rtol=1e-5)
