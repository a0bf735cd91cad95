"""CRR's update against an independent one in JAX: from the same weights, batches and noise to the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

from tests.parity import continuous, discrete, references, regressed
from tfacme import networks
from tfacme.agents import crr

_STEPS = 5


class _Reference:
  """The same algorithm, on lists of weights."""

  def __init__(self, policy, critics, config):
    self.config, self.steps = config, 0
    self.policy, self.critics = policy, critics
    self._copy()
    self.policy_adam = references.Adam(policy, config.policy_learning_rate, config.adam_epsilon)
    self.critic_adams = [references.Adam(w, config.critic_learning_rate, config.adam_epsilon) for w in critics]

  def _copy(self):
    self.target_policy = [weight.copy() for weight in self.policy]
    self.target_critics = [[weight.copy() for weight in critic] for critic in self.critics]

  taken, log_prob = staticmethod(continuous.taken), staticmethod(regressed.log_prob)

  def value(self, policy, critics, x, noises):
    mean, std = regressed.gaussian(policy, x)
    actions = [np.clip(mean + std * noise, -1, 1) for noise in noises]
    return np.mean([_lowest(critics, x, action) for action in actions], axis=0)

  def step(self, batch, noises):
    c, x, last = self.config, batch.steps.observation[:, 0], batch.steps.observation[:, 1]
    taken, m = self.taken(batch), c.action_samples
    advantages = _lowest(self.critics, x, taken) - self.value(self.policy, self.critics, x, noises[:m])
    weights = {
      'exponential': np.minimum(np.exp(advantages / c.temperature), c.max_weight),
      'indicator': 1.0 * (advantages > 0),
      'constant': np.ones_like(advantages),
    }[c.weights]
    counts = np.ones_like(advantages)
    if c.sarsa_targets:
      following = self.taken(batch, row=-1)
      next_value = _lowest(self.target_critics, last, following)
      # After a truncation there is a value to learn from, but of no action.
      bootstraps = continuous.bootstrapped(batch, counts, c, 0.0) > 0
      counts = np.where(bootstraps, batch.mask[:, -1], 1.0)
    else:
      next_value = self.value(self.target_policy, self.target_critics, last, noises[m:])
    y = continuous.bootstrapped(batch, next_value, c, c.reward_scale)
    policy_loss = lambda policy: -jnp.mean(weights * self.log_prob(policy, x, taken))
    critic_loss = lambda critic: jnp.mean(counts * (y - continuous.value(critic, x, taken)) ** 2)
    self.policy = self.policy_adam.step(self.policy, jax.grad(policy_loss)(self.policy))
    self.critics = [adam.step(w, jax.grad(critic_loss)(w)) for adam, w in zip(self.critic_adams, self.critics)]
    self.steps += 1
    if self.steps % c.target_update_period == 0:
      self._copy()


class _Choices(_Reference):
  """The same where the action is a choice, as one-hot vectors, and nothing is drawn."""

  def taken(self, batch, row=0):
    return np.eye(discrete.ACTIONS)[batch.steps.action[:, row]]

  def log_prob(self, policy, x, taken):
    return jnp.sum(taken * jax.nn.log_softmax(references.layers(policy, x, jax.nn.relu)), axis=1)

  def value(self, policy, critics, x, noises):
    every = [np.tile(one, (discrete.BATCH, 1)) for one in np.eye(discrete.ACTIONS)]
    return sum(np.exp(self.log_prob(policy, x, action)) * _lowest(critics, x, action) for action in every)


def _lowest(critics, x, action):
  return np.min([continuous.value(critic, x, action) for critic in critics], axis=0)


_CONFIGS = {
  'exponential': {'temperature': 0.1},
  'indicator': {'weights': 'indicator', 'action_samples': 1, 'n_step': 2},
  'one step of improvement': {'weights': 'constant', 'sarsa_targets': True, 'n_step': 2, 'reward_scale': 3.0},
}


@pytest.mark.parametrize(
  'name, kind, reference_class',
  [(name, continuous, _Reference) for name in _CONFIGS] + [('exponential', discrete, _Choices)],
)
def test_the_next_weights_agree(name, kind, reference_class):
  rates = dict.fromkeys(('policy_learning_rate', 'critic_learning_rate'), 1e-2)
  config = crr.CRRConfig(target_update_period=2, **{**rates, **_CONFIGS[name]})
  with networks.seeded(0):
    made = crr.default_networks((6, 5), critics=2)(kind.SPEC)
  modules = [made.policy, *made.critics]
  for module in modules:
    references.disturb(module.variables)
  policy, *critics = [[variable.numpy() for variable in regressed.ordered(module)] for module in modules]
  reference = reference_class(policy, critics, config)
  update = crr.CRRBuilder(config).update(made, kind.SPEC)
  compiled = references.compiled(update)
  drawn = config.action_samples * (1 if config.sarsa_targets else 2)
  for step in range(_STEPS):
    batch = kind.batch(step, config.n_step)
    reference.step(batch, [continuous.noise([references.SEED, step * drawn + use]) for use in range(drawn)])
    assert compiled(tf.nest.map_structure(tf.constant, batch)).priorities is None
  targets = [update._target_policy.network, *update._target_critics.network._members]
  expected = [reference.policy, *reference.critics, reference.target_policy, *reference.target_critics]
  for module, weights in zip([*modules, *targets], expected, strict=True):
    for found, weight in zip(regressed.ordered(module), weights, strict=True):
      np.testing.assert_allclose(found, weight, atol=2e-5)
