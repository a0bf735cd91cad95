"""An independent TD3 in JAX, to which updates are held: from the same weights, batches and noise to the same ones."""

import jax
import jax.numpy as jnp
import numpy as np
import tensorflow as tf

from tests.parity import continuous, references
from tfacme import networks

_STEPS = 5


class _Reference:
  """The algorithm, on lists of weights: bias and matrix of each layer."""

  def __init__(self, policy, critics, config, policy_loss):
    self.config, self.policy_loss, self.steps = config, policy_loss, 0
    self.policy, self.critics = policy, critics
    self.target_policy, self.target_critics = [w.copy() for w in policy], [[w.copy() for w in one] for one in critics]
    settings = config.adam_epsilon, config.max_gradient_norm
    self.policy_adam = references.Adam(policy, config.policy_learning_rate, *settings)
    self.critic_adam = references.Adam(sum(critics, []), config.critic_learning_rate, *settings)

  def act(self, policy, x):
    return jnp.tanh(references.layers(policy, x, jax.nn.relu))

  def step(self, batch, noise):
    c, x, last = self.config, batch.steps.observation[:, 0], batch.steps.observation[:, 1]
    limited = np.clip(c.target_noise * noise, -c.target_noise_limit, c.target_noise_limit)
    action = np.clip(self.act(self.target_policy, last) + limited, -1, 1)
    smallest = np.min([continuous.value(target, last, action) for target in self.target_critics], axis=0)
    y, taken = continuous.bootstrapped(batch, smallest, c), continuous.taken(batch)

    def critic_loss(critics):
      return sum(jnp.mean((continuous.value(critic, x, taken) - y) ** 2) for critic in critics)

    gradients = jax.grad(critic_loss)(self.critics)
    weights, size = self.critic_adam.step(sum(self.critics, []), sum(gradients, [])), len(self.critics[0])
    self.critics = [weights[i : i + size] for i in range(0, len(weights), size)]
    if self.steps % c.policy_period == 0:
      self._step_policy(x, taken)
    self.steps += 1

  def _step_policy(self, x, taken):
    def loss(policy):
      action = self.act(policy, x)
      return self.policy_loss(continuous.value(self.critics[0], x, action), action, taken)

    self.policy = self.policy_adam.step(self.policy, jax.grad(loss)(self.policy))
    rate = self.config.target_update_rate
    self.target_policy = continuous.followed(self.target_policy, self.policy, rate)
    pairs = zip(self.target_critics, self.critics)
    self.target_critics = [continuous.followed(target, critic, rate) for target, critic in pairs]


def check(builder, factory, policy_loss):
  """Asserts that the update of a builder comes to the weights of the reference.

  Args:
    builder: of TD3 or of a variant.
    factory: makes its networks.
    policy_loss: from values [B], actions and those that were taken [B, D] to what the policy minimizes.
  """
  with networks.seeded(0):
    made = factory(continuous.SPEC)
  for module in (made.policy, *made.critics):
    references.disturb(module.variables)
  policy, *critics = [[v.numpy() for v in continuous.ordered(module)] for module in (made.policy, *made.critics)]
  reference = _Reference(policy, critics, builder.config, policy_loss)
  update = builder.update(made, continuous.SPEC)
  compiled = references.compiled(update)
  for step in range(_STEPS):
    batch = continuous.batch(step, builder.config.n_step)
    reference.step(batch, continuous.noise(networks.fold(tf.constant([references.SEED, step]), 0)))
    assert compiled(tf.nest.map_structure(tf.constant, batch)).priorities is None
  targets = update._target_policy.network, *update._target_critics.network._members
  expected = [reference.policy, *reference.critics, reference.target_policy, *reference.target_critics]
  for module, weights in zip((made.policy, *made.critics, *targets), expected, strict=True):
    for found, weight in zip(continuous.ordered(module), weights, strict=True):
      np.testing.assert_allclose(found, weight, atol=2e-5)
