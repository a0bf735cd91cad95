"""AWAC's update against an independent one in JAX: from the same weights, batches and noise to the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

from tests.parity import continuous, discrete, references, regressed
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

  taken, log_prob = staticmethod(continuous.taken), staticmethod(regressed.log_prob)

  def value(self, critics, x, noise):
    """By the lowest critic's value of a sample of the policy, whatever is beyond -1 and 1 cut off."""
    mean, std = regressed.gaussian(self.policy, x)
    action = np.clip(mean + std * noise, -1, 1)
    return _lowest(critics, x, action)

  def step(self, batch, noises):
    c, x, last = self.config, batch.steps.observation[:, 0], batch.steps.observation[:, 1]
    taken = self.taken(batch)
    y = continuous.bootstrapped(batch, self.value(self.targets, last, noises[0]), c, c.reward_scale)
    loss = lambda critic: jnp.mean((y - continuous.value(critic, x, taken)) ** 2)
    self.critics = [adam.step(w, jax.grad(loss)(w)) for adam, w in zip(self.critic_adams, self.critics)]
    advantages = _lowest(self.critics, x, taken) - self.value(self.critics, x, noises[1])
    weights = np.minimum(np.exp(advantages / c.temperature), c.max_weight)
    policy_loss = lambda policy: -jnp.mean(weights * self.log_prob(policy, x, taken))
    self.policy = self.policy_adam.step(self.policy, jax.grad(policy_loss)(self.policy))
    pairs = zip(self.targets, self.critics)
    self.targets = [continuous.followed(target, critic, c.target_update_rate) for target, critic in pairs]


class _Choices(_Reference):
  """The same where the action is a choice, as one-hot vectors: all its actions count, and nothing is drawn."""

  def taken(self, batch):
    return np.eye(discrete.ACTIONS)[batch.steps.action[:, 0]]

  def log_prob(self, policy, x, taken):
    return jnp.sum(taken * jax.nn.log_softmax(references.layers(policy, x, jax.nn.relu)), axis=1)

  def value(self, critics, x, noise):
    every = [np.tile(one, (discrete.BATCH, 1)) for one in np.eye(discrete.ACTIONS)]
    return sum(np.exp(self.log_prob(self.policy, x, action)) * _lowest(critics, x, action) for action in every)


def _lowest(critics, x, action):
  return np.minimum(*[continuous.value(critic, x, action) for critic in critics])


_CONFIGS = {
  'as in the paper': {},
  'clipped weights, schedules': {
    **{'max_weight': 1.2, 'temperature': 0.1, 'reward_scale': 3.0, 'n_step': 2},
    'policy_learning_rate': (1e-2, 1e-3, 3),
  },
}


@pytest.mark.parametrize(
  'name, kind, reference_class',
  [(name, continuous, _Reference) for name in _CONFIGS] + [('clipped weights, schedules', discrete, _Choices)],
)
def test_the_next_weights_agree(name, kind, reference_class):
  rates = dict.fromkeys(('policy_learning_rate', 'critic_learning_rate'), 1e-2)
  config = awac.AWACConfig(target_update_rate=0.3, **{**rates, **_CONFIGS[name]})
  with networks.seeded(0):
    made = awac.default_networks((6, 5))(kind.SPEC)
  modules = [made.policy, *made.critics]
  for module in modules:
    references.disturb(module.variables)
  policy, *critics = [[variable.numpy() for variable in regressed.ordered(module)] for module in modules]
  reference = reference_class(policy, critics, config)
  update = awac.AWACBuilder(config).update(made, kind.SPEC)
  compiled = references.compiled(update)
  for step in range(_STEPS):
    batch = kind.batch(step, config.n_step)
    reference.step(batch, [continuous.noise([references.SEED, 2 * step + use]) for use in range(2)])
    assert compiled(tf.nest.map_structure(tf.constant, batch)).priorities is None
  expected = [reference.policy, *reference.critics, *reference.targets]
  for module, weights in zip([*modules, *update._targets.network._members], expected, strict=True):
    for found, weight in zip(regressed.ordered(module), weights, strict=True):
      np.testing.assert_allclose(found, weight, atol=2e-5)
