"""SAC's update against an independent one in JAX: from the same weights, batches and noise to the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

from tests.parity import continuous, references
from tfacme import networks
from tfacme.agents import sac

_STEPS = 5


class _Reference:
  """The same algorithm, on lists of weights: bias and matrix of each layer."""

  def __init__(self, policy, critics, targets, config):
    self.config = c = config
    self.policy, self.critics, self.targets = policy, critics, targets
    self.log_alpha = np.log(c.initial_temperature)
    self.policy_adam = references.Adam(policy, c.policy_learning_rate, c.adam_epsilon)
    self.critic_adams = [references.Adam(critic, c.critic_learning_rate, c.adam_epsilon) for critic in critics]
    self.alpha_adam = references.Adam([np.zeros(())], c.temperature_learning_rate, c.adam_epsilon)

  @property
  def alpha(self):
    return np.exp(self.log_alpha) if self.config.temperature is None else self.config.temperature

  def step(self, batch, noises):
    c, steps = self.config, batch.steps
    x, last = steps.observation[:, 0], steps.observation[:, 1]
    action, log_prob = continuous.squashed(self.policy, last, noises[0])
    entropy = -self.alpha * log_prob if c.backup_entropy else 0.0
    soft = np.minimum(*[continuous.value(target, last, action) for target in self.targets]) + entropy
    y = continuous.bootstrapped(batch, soft, c, c.reward_scale)
    taken = continuous.taken(batch)
    loss = lambda critic: 0.5 * jnp.mean((continuous.value(critic, x, taken) - y) ** 2)
    self.critics = [adam.step(w, jax.grad(loss)(w)) for adam, w in zip(self.critic_adams, self.critics)]

    def policy_loss(policy):
      action, log_prob = continuous.squashed(policy, x, noises[1])
      lowest = jnp.minimum if c.target_critics is None else lambda *values: jnp.mean(jnp.stack(values), axis=0)
      q = lowest(*[continuous.value(critic, x, action) for critic in self.critics])
      return jnp.mean(self.alpha * log_prob - q), log_prob

    gradients, log_prob = jax.grad(policy_loss, has_aux=True)(self.policy)
    self.policy = self.policy_adam.step(self.policy, gradients)
    if c.temperature is None:
      entropy = -continuous.ACTIONS if c.target_entropy is None else c.target_entropy
      gradient = -np.exp(self.log_alpha) * np.mean(log_prob + entropy)
      (self.log_alpha,) = self.alpha_adam.step([self.log_alpha], [gradient])
    pairs = zip(self.targets, self.critics)
    self.targets = [continuous.followed(target, critic, c.target_update_rate) for target, critic in pairs]


_CONFIGS = {
  'learned temperature': {'initial_temperature': 0.5},
  'fixed temperature': {'temperature': 0.2, 'n_step': 3, 'backup_entropy': False},
  # Both of both: which ones are drawn is no matter then.
  'drawn critics': {'target_critics': 2, 'temperature': 0.2},
  'schedules': {'critic_learning_rate': (1e-2, 1e-3, 3), 'target_entropy': 0.5, 'reward_scale': 3.0, 'n_step': 2},
}


@pytest.mark.parametrize('name', list(_CONFIGS))
def test_the_next_weights_agree(name):
  rates = dict.fromkeys(('policy_learning_rate', 'critic_learning_rate', 'temperature_learning_rate'), 1e-2)
  config = sac.SACConfig(target_update_rate=0.3, **{**rates, **_CONFIGS[name]})
  with networks.seeded(0):
    update = sac.SACBuilder(config).update(sac.default_networks((6, 5))(continuous.SPEC), continuous.SPEC)
  references.disturb(update.published['policy'].variables)
  critics, targets = update._critics._members, update._targets.network._members
  for critic in critics:
    references.disturb(critic.variables)
  modules = [update.published['policy'], *critics, *targets]
  policy, *values = [[variable.numpy() for variable in continuous.ordered(module)] for module in modules]
  reference = _Reference(policy, values[:2], values[2:], config)
  compiled = references.compiled(update)
  for step in range(_STEPS):
    batch = continuous.batch(step, config.n_step)
    draws = 2 if config.target_critics is None else 3  # in each step; the first and the last are of actions
    reference.step(batch, [continuous.noise([references.SEED, draws * step + use]) for use in (0, draws - 1)])
    assert compiled(tf.nest.map_structure(tf.constant, batch)).priorities is None
  expected = [reference.policy, *reference.critics, *reference.targets]
  for module, weights in zip(modules, expected):
    for found, weight in zip(continuous.ordered(module), weights):
      np.testing.assert_allclose(found, weight, atol=2e-5)
  np.testing.assert_allclose(update._log_temperature, reference.log_alpha, atol=1e-5)


def test_it_learns_the_values_of_a_fixed_batch():
  config = sac.SACConfig(critic_learning_rate=1e-2, temperature=0.0)
  update = sac.SACBuilder(config).update(sac.default_networks((32,))(continuous.SPEC), continuous.SPEC)
  batch = continuous.batch(0, 1)
  batch = batch._replace(steps=batch.steps._replace(discount=np.zeros_like(batch.steps.discount)))
  compiled, batch = references.compiled(update), tf.nest.map_structure(tf.constant, batch)
  losses = [float(compiled(batch).metrics['loss']) for _ in range(200)]
  assert losses[-1] < 0.05 * losses[0]
