"""IQL's update against an independent one in JAX: from the same weights and batches to the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

from tests.parity import continuous, references, regressed
from tfacme import networks
from tfacme.agents import iql

_STEPS = 5


class _Reference:
  """The same algorithm, on lists of weights."""

  def __init__(self, policy, value, critics, config):
    self.config = c = config
    self.policy, self.value, self.critics = policy, value, critics
    self.targets = [[weight.copy() for weight in critic] for critic in critics]
    self.policy_adam = references.Adam(policy, c.policy_learning_rate, c.adam_epsilon)
    self.value_adam = references.Adam(value, c.value_learning_rate, c.adam_epsilon)
    self.critic_adams = [references.Adam(critic, c.critic_learning_rate, c.adam_epsilon) for critic in critics]

  def step(self, batch):
    c, x, last = self.config, batch.steps.observation[:, 0], batch.steps.observation[:, 1]
    taken = continuous.taken(batch)
    q = np.minimum(*[continuous.value(target, x, taken) for target in self.targets])

    def value_loss(value):  # Equation 5.
      u = q - _state_value(value, x)
      return jnp.mean(jnp.abs(c.expectile - (u < 0)) * u**2)

    self.value = self.value_adam.step(self.value, jax.grad(value_loss)(self.value))
    weights = np.minimum(np.exp(c.inverse_temperature * (q - _state_value(self.value, x))), c.max_weight)
    policy_loss = lambda policy: -jnp.mean(weights * regressed.log_prob(policy, x, taken))  # Equation 7.
    self.policy = self.policy_adam.step(self.policy, jax.grad(policy_loss)(self.policy))
    y = continuous.bootstrapped(batch, _state_value(self.value, last), c, c.reward_scale)
    loss = lambda critic: jnp.mean((y - continuous.value(critic, x, taken)) ** 2)  # Equation 6.
    self.critics = [adam.step(w, jax.grad(loss)(w)) for adam, w in zip(self.critic_adams, self.critics)]
    pairs = zip(self.targets, self.critics)
    self.targets = [continuous.followed(target, critic, c.target_update_rate) for target, critic in pairs]


def _state_value(weights, x):
  return references.layers(weights, x, jax.nn.relu)[:, 0]


_CONFIGS = {
  'as in the paper': {},
  'clipped weights, schedules': {
    **{'max_weight': 1.2, 'expectile': 0.9, 'inverse_temperature': 10.0, 'reward_scale': 3.0, 'n_step': 2},
    'policy_learning_rate': (1e-2, 1e-3, 3),
  },
}


@pytest.mark.parametrize('name', list(_CONFIGS))
def test_the_next_weights_agree(name):
  rates = dict.fromkeys(('policy_learning_rate', 'critic_learning_rate', 'value_learning_rate'), 1e-2)
  config = iql.IQLConfig(target_update_rate=0.3, **{**rates, **_CONFIGS[name]})
  with networks.seeded(0):
    made = iql.default_networks((6, 5))(continuous.SPEC)
  modules = [made.policy, made.value, *made.critics]
  for module in modules:
    references.disturb(module.variables)
  policy, value, *critics = [[variable.numpy() for variable in regressed.ordered(module)] for module in modules]
  reference = _Reference(policy, value, critics, config)
  update = iql.IQLBuilder(config).update(made, continuous.SPEC)
  compiled = references.compiled(update)
  for step in range(_STEPS):
    batch = continuous.batch(step, config.n_step)
    reference.step(batch)
    assert compiled(tf.nest.map_structure(tf.constant, batch)).priorities is None
  expected = [reference.policy, reference.value, *reference.critics, *reference.targets]
  for module, weights in zip([*modules, *update._targets.network._members], expected, strict=True):
    for found, weight in zip(regressed.ordered(module), weights, strict=True):
      np.testing.assert_allclose(found, weight, atol=2e-5)
