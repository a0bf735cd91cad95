"""What the references of agents with a discrete action have in common, on lists of weights."""

import jax.numpy as jnp
import numpy as np
from dm_env import specs as dm_specs

from tfacme import core, specs

ACTIONS, BATCH = 3, 8
_FEATURES = 4

SPEC = specs.EnvironmentSpec(
  dm_specs.Array((_FEATURES,), np.float32),
  dm_specs.DiscreteArray(ACTIONS),
  dm_specs.Array((), np.float32),
  dm_specs.BoundedArray((), np.float32, 0, 1),
)


def batch(seed, n):
  """A batch of n-step items with whole, terminated, truncated and padded ones."""
  rng = np.random.RandomState(seed)
  rows = (BATCH, n + 1)
  lengths = rng.randint(1, n + 2, size=BATCH)  # n + 1: the last row starts a transition too.
  mask = (np.arange(n + 1) < lengths[:, None]).astype(np.float32)
  discounts = mask * rng.choice([0.0, 0.5, 1.0], p=[0.1, 0.1, 0.8], size=rows).astype(np.float32)
  steps = core.Step(
    observation=rng.randn(BATCH, 2, _FEATURES).astype(np.float32),
    action=rng.randint(0, ACTIONS, rows).astype(np.int32),
    reward=(3 * rng.randn(*rows) * mask).astype(np.float32),
    discount=discounts,
    first=np.zeros(rows, bool),
    last=mask == 0,
  )
  zeros = np.zeros(BATCH, np.int64)
  sizes = np.full(BATCH, 100, np.int64)
  info = core.Info(zeros.astype(np.uint64), rng.uniform(0.001, 0.1, BATCH).astype(np.float32), sizes, zeros, zeros)
  return core.Batch(steps, mask, info)


def bootstrapped(batch, value, config):
  """The n-step returns [B] that end in these values [B], item by item, in plain loops."""
  returns, steps = np.zeros(BATCH, np.float32), batch.steps
  for i in range(BATCH):
    factor = 1.0
    for k in range(config.n_step):
      if not batch.mask[i, k]:
        break
      returns[i] += factor * np.clip(steps.reward[i, k], -config.max_abs_reward, config.max_abs_reward)
      factor *= config.discount * steps.discount[i, k]
    returns[i] += factor * value[i]
  return returns


def of(values, actions):
  """The values [B] that [B, A] have of actions [B]."""
  return values[np.arange(BATCH), actions]


def huber(errors, delta):
  """Squared up to a size, and linear beyond."""
  size = jnp.abs(errors)
  return jnp.where(size <= delta, errors**2 / 2, delta * (size - delta / 2))
