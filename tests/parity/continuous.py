"""What the references of agents with continuous actions have in common, on lists of weights."""

import jax
import jax.numpy as jnp
import numpy as np
import tensorflow as tf
from dm_env import specs as dm_specs

from tests.parity import references
from tfacme import core, specs

ACTIONS, BATCH = 2, 8
_FEATURES = 4
_LOW, _HIGH = np.array([-2.0, 0.0]), np.array([2.0, 1.0])

SPEC = specs.EnvironmentSpec(
  dm_specs.Array((_FEATURES,), np.float32),
  dm_specs.BoundedArray((ACTIONS,), np.float32, _LOW, _HIGH),
  dm_specs.Array((), np.float32),
  dm_specs.BoundedArray((), np.float32, 0, 1),
)


def batch(seed, n):
  """A batch of n-step items with whole, terminated, truncated and padded ones."""
  rng = np.random.RandomState(seed)
  rows = (BATCH, n + 1)
  mask = (np.arange(n + 1) < rng.randint(1, n + 2, size=BATCH)[:, None]).astype(np.float32)
  steps = core.Step(
    observation=rng.randn(BATCH, 2, _FEATURES).astype(np.float32),
    action=rng.uniform(_LOW, _HIGH, (*rows, ACTIONS)).astype(np.float32),
    reward=(rng.randn(*rows) * mask).astype(np.float32),
    discount=mask * rng.choice([0.0, 1.0], p=[0.2, 0.8], size=rows).astype(np.float32),
    first=np.zeros(rows, bool),
    last=mask == 0,
  )
  zeros = np.zeros(BATCH, np.int64)
  info = core.Info(zeros.astype(np.uint64), np.full(BATCH, 0.01, np.float32), zeros + 100, zeros, zeros)
  return core.Batch(steps, mask, info)


def bootstrapped(batch, value, config, reward_scale=1.0):
  """The n-step returns [B] that end in these values [B], by a plain loop."""
  returns, steps = np.zeros(BATCH), batch.steps
  for i in range(BATCH):
    factor = 1.0
    for k in range(config.n_step):
      if not batch.mask[i, k]:
        break
      returns[i] += factor * reward_scale * steps.reward[i, k]
      factor *= config.discount * steps.discount[i, k]
    returns[i] += factor * value[i]
  return returns


def taken(batch, row=0):
  """The actions in a row of the items, the first one, on the scale from -1 to 1, [B, D]."""
  return 2 * (batch.steps.action[:, row] - _LOW) / (_HIGH - _LOW) - 1


def noise(seed):
  """Normal numbers [B, D] of a seed."""
  return tf.random.stateless_normal([BATCH, ACTIONS], seed).numpy()


def value(critic, x, action):
  """A critic's values [B]."""
  return references.layers(critic, jnp.concatenate([x, action], axis=1), jax.nn.relu)[:, 0]


def squashed(policy, x, noise):
  """Actions of a tanh-Gaussian policy [B, ..., D] for noise of that shape, and their log-densities [B, ...].

  By the change of variables as it stands in equation 21 of Haarnoja et al. 2018b.
  """
  mean, std = (jnp.reshape(part, (len(x), *[1] * (noise.ndim - 2), -1)) for part in before_the_tangent(policy, x))
  u = mean + std * noise
  normal = jax.scipy.stats.norm.logpdf(u, mean, std)
  return jnp.tanh(u), jnp.sum(normal - jnp.log(1 - jnp.tanh(u) ** 2), axis=-1)


def before_the_tangent(policy, x):
  """The means and deviations [B, D] of a tanh-Gaussian policy before its tangent."""
  mean, log_std = jnp.split(references.layers(policy, x, jax.nn.relu), 2, axis=1)
  return mean, jnp.exp(jnp.clip(log_std, -20, 2))


def followed(target, weights, rate):
  """The weights of a target that has gone this share of the way."""
  return [(1 - rate) * old + rate * new for old, new in zip(target, weights)]


def ordered(module):
  """The variables of a module in order: bias and matrix of each layer, the torso's first."""
  return sorted(module.variables, key=lambda v: ('mlp' not in v.name, v.name))
