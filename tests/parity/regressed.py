"""What the references of agents with a regressed policy have in common: a Gaussian around a mean between -1 and 1.

Its weights are the free parameters of its deviations, and then bias and matrix of each layer.
"""

import jax
import jax.numpy as jnp

from tests.parity import references


def ordered(module):
  """The variables of a module, such a policy or any other one, in order."""
  return sorted(module.variables, key=lambda v: ('log_std' not in v.name, 'mlp' not in v.name, v.name))


def gaussian(policy, x):
  """Means [B, D] and deviations [D]."""
  free, *weights = policy
  return jnp.tanh(references.layers(weights, x, jax.nn.relu)), jnp.exp(-5 + 7 / (1 + jnp.exp(-free)))


def log_prob(policy, x, action):
  """The logarithm of the density of actions between -1 and 1, [B]."""
  return jnp.sum(jax.scipy.stats.norm.logpdf(action, *gaussian(policy, x)), axis=1)
