"""MBOP's update against an independent one in JAX, from the same weights and batches to the same weights; and plans."""

import jax
import jax.numpy as jnp
import numpy as np
import tensorflow as tf

from tests.parity import continuous, references
from tfacme import networks
from tfacme.agents import mbop

_MEMBERS, _STEPS = 2, 3
_CONFIG = mbop.MBOPConfig(
  learning_rate=(1e-2, 1e-3, 3), adam_epsilon=1e-3, max_gradient_norm=0.5, horizon=3, trajectories=6, sigma=0.3
)


def _batch(seed):
  """Transitions, of which some begin an episode, and of some of which the return is not known."""
  batch, random = continuous.batch(seed, 1), np.random.RandomState(seed)
  rows = batch.mask.shape
  extras = {
    'previous_action': random.uniform(-2, 2, (*rows, continuous.ACTIONS)).astype(np.float32),
    'return_ahead': (5 + 3 * random.randn(*rows)).astype(np.float32),
    'return_ahead_weight': random.randint(0, 2, rows).astype(np.float32),
  }
  first = random.rand(*rows) < 0.3
  return batch._replace(steps=batch.steps._replace(extras=extras, first=first), mask=np.ones(rows, np.float32))


def _on_scale(action):
  low, high = continuous.SPEC.actions.minimum, continuous.SPEC.actions.maximum
  return 2 * (action - low) / (high - low) - 1


class _Model:
  """One ensemble: bias and matrix of each layer of each member, and all rows that were seen."""

  def __init__(self, regressor):
    layers = regressor._network._layers
    self.weights = [w for layer in layers for k in range(_MEMBERS) for w in (layer.b[k, 0].numpy(), layer.w[k].numpy())]
    self.adam = references.Adam(self.weights, _CONFIG.learning_rate, _CONFIG.adam_epsilon, _CONFIG.max_gradient_norm)
    self.inputs, self.targets = [], []

  def member(self, weights, k, x, relu=jax.nn.relu):
    """Member k's normalized outputs of normalized inputs."""
    own = [w for i in range(0, len(weights), 2 * _MEMBERS) for w in weights[i + 2 * k : i + 2 * k + 2]]
    return references.layers(own, x, relu)

  def statistics(self):
    inputs, targets = np.concatenate(self.inputs), np.concatenate(self.targets)
    return inputs.mean(axis=0), inputs.std(axis=0), np.nanmean(targets, axis=0), np.nanstd(targets, axis=0)

  def step(self, inputs, targets, known):
    """Learns from the targets that count, known [B, O] or [B, 1]."""
    known = known * np.ones(targets.shape)
    self.inputs.append(inputs[known.any(axis=1)])
    self.targets.append(np.where(known, targets, np.nan))
    mean, std, target_mean, target_std = self.statistics()

    def loss(weights):
      said = jnp.stack([self.member(weights, k, (inputs - mean) / std) for k in range(_MEMBERS)])
      errors = jnp.mean((said - (targets - target_mean) / target_std) ** 2, axis=0)
      return jnp.mean(jnp.sum(known * errors, axis=0) / np.sum(known, axis=0))

    value, gradients = jax.value_and_grad(loss)(self.weights)
    self.weights = self.adam.step(self.weights, [np.asarray(gradient) for gradient in gradients])
    return value

  def said(self, k, inputs):
    """What member k says of plain inputs."""
    mean, std, target_mean, target_std = self.statistics()
    normalized = self.member(self.weights, k, (inputs - mean) / std, lambda x: np.maximum(x, 0))
    return normalized * target_std + target_mean


def _step(models, batch):
  """One learning step of all three; the sum of their losses."""
  steps, every = batch.steps, np.ones((continuous.BATCH, 1))
  state, following = steps.observation[:, 0], steps.observation[:, 1]
  action, previous = (_on_scale(a[:, 0]) for a in (steps.action, steps.extras['previous_action']))
  previous = np.where(steps.first[:, :1], 0.0, previous)
  world, prior, ahead = models
  after = np.concatenate([state, previous], axis=1)
  goes_on = np.where(steps.discount[:, :1] == 0, 0, np.ones(state.shape))  # No state follows a termination.
  assert 0 < goes_on.mean() < 1
  change = np.concatenate([following - state, steps.reward[:, :1]], axis=1)
  return (
    world.step(np.concatenate([state, action], axis=1), change, np.concatenate([goes_on, every], axis=1))
    + prior.step(after, action, every)
    + ahead.step(after, steps.extras['return_ahead'][:, :1], steps.extras['return_ahead_weight'][:, :1])
  )


def _plan(models, state, plan, noise):
  """Algorithm 2 for one observation as it stands there, one trajectory after the other."""
  world, prior, ahead = models
  horizon = _CONFIG.horizon
  scale = max(world.statistics()[3][-1], ahead.statistics()[3][0] / horizon)
  chosen, returns = np.zeros((_CONFIG.trajectories, horizon, continuous.ACTIONS)), np.zeros(_CONFIG.trajectories)
  for n in range(_CONFIG.trajectories):
    s, a = state, plan[0]
    for t in range(horizon):
      proposed = prior.said(n % _MEMBERS, np.concatenate([s, a])) + _CONFIG.sigma * noise[t, n]
      a = np.clip((1 - _CONFIG.beta) * proposed + _CONFIG.beta * plan[min(t + 1, horizon - 1)], -1, 1)
      chosen[n, t], outputs = a, [world.said(k, np.concatenate([s, a])) for k in range(_MEMBERS)]
      s, returns[n] = s + outputs[n % _MEMBERS][:-1], returns[n] + np.mean([one[-1] for one in outputs]) / scale
    returns[n] += np.mean([ahead.said(k, np.concatenate([s, a])) for k in range(_MEMBERS)]) / scale
  weights = np.exp(_CONFIG.kappa * (returns - returns.max()))
  return np.average(chosen, axis=0, weights=weights)


def _noise(seed, slots):
  """What the planner draws, [B, H, N, D]."""
  with networks.drawing(seed):
    base = networks.draw()
  drawn = []
  for t in range(_CONFIG.horizon):
    with networks.drawing(networks.fold(base, t)):
      shape = [slots, _CONFIG.trajectories, continuous.ACTIONS]
      rows = tf.random.stateless_normal([shape[0] * shape[1], shape[2]], networks.draw())
    drawn.append(np.reshape(rows, shape))
  return np.stack(drawn, axis=1)


def test_the_next_weights_and_plans_agree():
  builder, spec = mbop.MBOPBuilder(_CONFIG), continuous.SPEC
  with networks.seeded(0):
    made = mbop.default_networks((6,), members=_MEMBERS)(spec)
  regressors = [made.world_model, made.policy_prior, made.return_model]
  for i, regressor in enumerate(regressors):
    references.disturb(regressor.trainable_variables, seed=i)
  models, update = [_Model(regressor) for regressor in regressors], references.compiled(builder.update(made, spec))
  for step in range(_STEPS):
    batch = _batch(step)
    found = update(tf.nest.map_structure(tf.constant, batch)).metrics['loss']
    np.testing.assert_allclose(found, _step(models, batch), rtol=1e-4)
  for regressor, model in zip(regressors, models):
    for found, expected in zip(_Model(regressor).weights, model.weights):
      np.testing.assert_allclose(found, expected, atol=5e-5)

  seed, random = tf.constant([3, 4]), np.random.RandomState(0)
  states = random.randn(2, 4).astype(np.float32)
  plans = random.uniform(-1, 1, (2, _CONFIG.horizon, continuous.ACTIONS)).astype(np.float32)
  policy = builder.policy(made, spec, evaluation=True)
  with networks.drawing(seed):
    action, found, _ = policy(tf.constant(states), tf.constant(plans), None)
  expected = [_plan(models, *one) for one in zip(states, plans, _noise(seed, 2))]
  np.testing.assert_allclose(found, expected, atol=1e-3)
  np.testing.assert_allclose(_on_scale(action.numpy()), found[:, 0], atol=1e-5)
