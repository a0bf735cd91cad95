"""AWAC's update against an independent one in JAX: from the same weights, batches and noise to the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

from tests.parity import continuous, references, regressed
from tfacme import networks
from tfacme.agents import awac

_STEPS = 5


class _Reference:
  """The same algorithm, on lists of weights."""

  def __init__(self, policy, critics, config):
    self.config = c = config
    self.policy, self.critics = policy, critics
    self.targets = [[weight.copy() for weight in critic] for critic in critics]
    self.policy_adam = references.Adam(policy, c.policy_learning_rate, c.adam_epsilon)
    self.critic_adams = [references.Adam(critic, c.critic_learning_rate, c.adam_epsilon) for critic in critics]

  def value(self, critics, x, noise):
    """By the lowest critic's value of a sample of the policy, whatever is beyond -1 and 1 cut off."""
    mean, std = regressed.gaussian(self.policy, x)
    action = np.clip(mean + std * noise, -1, 1)
    return np.minimum(*[continuous.value(critic, x, action) for critic in critics])

  def step(self, batch, noises):
    c, x, last = self.config, batch.steps.observation[:, 0], batch.steps.observation[:, 1]
    taken = continuous.taken(batch)
    y = continuous.bootstrapped(batch, self.value(self.targets, last, noises[0]), c, c.reward_scale)
    loss = lambda critic: jnp.mean((y - continuous.value(critic, x, taken)) ** 2)
    self.critics = [adam.step(w, jax.grad(loss)(w)) for adam, w in zip(self.critic_adams, self.critics)]
    q = np.minimum(*[continuous.value(critic, x, taken) for critic in self.critics])
    weights = np.minimum(np.exp((q - self.value(self.critics, x, noises[1])) / c.temperature), c.max_weight)
    policy_loss = lambda policy: -jnp.mean(weights * regressed.log_prob(policy, x, taken))
    self.policy = self.policy_adam.step(self.policy, jax.grad(policy_loss)(self.policy))
    pairs = zip(self.targets, self.critics)
    self.targets = [continuous.followed(target, critic, c.target_update_rate) for target, critic in pairs]


_CONFIGS = {
  'as in the paper': {},
  'clipped weights, schedules': {
    **{'max_weight': 1.2, 'temperature': 0.1, 'reward_scale': 3.0, 'n_step': 2},
    'policy_learning_rate': (1e-2, 1e-3, 3),
  },
}


@pytest.mark.parametrize('name', list(_CONFIGS))
def test_the_next_weights_agree(name):
  rates = dict.fromkeys(('policy_learning_rate', 'critic_learning_rate'), 1e-2)
  config = awac.AWACConfig(target_update_rate=0.3, **{**rates, **_CONFIGS[name]})
  with networks.seeded(0):
    made = awac.default_networks((6, 5))(continuous.SPEC)
  modules = [made.policy, *made.critics]
  for module in modules:
    references.disturb(module.variables)
  policy, *critics = [[variable.numpy() for variable in regressed.ordered(module)] for module in modules]
  reference = _Reference(policy, critics, config)
  update = awac.AWACBuilder(config).update(made, continuous.SPEC)
  compiled = references.compiled(update)
  for step in range(_STEPS):
    batch = continuous.batch(step, config.n_step)
    reference.step(batch, [continuous.noise([references.SEED, 2 * step + use]) for use in range(2)])
    assert compiled(tf.nest.map_structure(tf.constant, batch)).priorities is None
  expected = [reference.policy, *reference.critics, *reference.targets]
  for module, weights in zip([*modules, *update._targets.network._members], expected, strict=True):
    for found, weight in zip(regressed.ordered(module), weights, strict=True):
      np.testing.assert_allclose(found, weight, atol=2e-5)
