"""Losses of critics that return a distribution over values, as by a `networks.QuantileHead`.

A critic learns towards the distribution of what came, and of the discounted value that follows it:

    target = target_critic(next_observation, next_action).backup(returns, discount)
    loss = distributional.quantile_huber(critic(observation, action), target)

Such a function is a `ValueLoss`, which can be given to an update. Leaves of both are [..., N], and a loss is [...];
those of an ensemble are [K, B, N], and one target [B, N] does for all members. No gradient flows into targets.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Callable

import tensorflow as tf

from tfacme import errors, networks
from tfacme.losses import values

# (distribution of the critic [..., N], distribution to learn towards [..., N']) -> loss [...]
ValueLoss = Callable[[Any, Any], tf.Tensor]


def project(targets: tf.Tensor, probabilities: tf.Tensor, atoms: tf.Tensor) -> tf.Tensor:
  """Probabilities of some values, as ones of others that lie at even distances (Bellemare et al. 2017, equation 7).

  Each value's probability is shared between the two atoms beside it, by how near they are: this keeps the mean, but for
  values beyond the atoms, which count as the first or the last one.

  Args:
    targets: values [..., K], in any order.
    probabilities: [..., K], which add up to 1.
    atoms: [..., L], ascending.

  Returns:
    The probabilities of the atoms, [..., L].
  """
  low, high = atoms[..., :1], atoms[..., -1:]
  distance = (high - low) / (atoms.shape[-1] - 1)
  clipped = tf.minimum(tf.maximum(targets, low), high)
  gaps = tf.abs(clipped[..., tf.newaxis] - atoms[..., tf.newaxis, :])  # [..., K, L]
  shares = tf.maximum(1.0 - gaps / distance[..., tf.newaxis], 0.0)
  return tf.reduce_sum(probabilities[..., tf.newaxis] * shares, axis=-2)


def categorical_cross_entropy(online: networks.DiscreteValues, target: networks.DiscreteValues) -> tf.Tensor:
  """The cross entropy of a distribution over fixed values, relative to a target projected onto them.

  Bellemare et al. 2017, algorithm 1. The target's values may be any.
  """
  probabilities = tf.stop_gradient(project(target.values, tf.nn.softmax(target.logits), online.values))
  return -tf.reduce_sum(probabilities * tf.nn.log_softmax(online.logits), axis=-1)


def quantile_huber(online: networks.Quantiles, target: networks.Quantiles, delta: float = 1.0) -> tf.Tensor:
  """The quantile Huber loss (Dabney et al. 2018, equation 10): summed over quantiles, a mean over the target's values.

  Args:
    online: quantiles i, at the fractions tau_i.
    target: its values j are taken to be equally likely; their number may be another one.
    delta: errors u_ij = target_j - online_i count squared up to this size and linearly beyond (the paper's kappa).

  Returns:
    sum_i mean_j |tau_i - [u_ij < 0]| huber(u_ij), [...].
  """
  wrong = tf.stop_gradient(target.values)[..., tf.newaxis, :] - online.values[..., tf.newaxis]  # [..., N, N']
  weights = tf.abs(online.fractions[..., tf.newaxis] - tf.cast(wrong < 0.0, wrong.dtype))
  return tf.reduce_sum(tf.reduce_mean(weights * values.huber(wrong, delta), axis=-1), axis=-1)


@dataclasses.dataclass(frozen=True)
class SampledCrossEntropy:
  """The cross entropy of a density relative to a target that samples stand for (Shahriari et al. 2022).

  They are drawn by `networks.draw()`.

  Attributes:
    samples: how many of the target's values stand for it.
  """

  samples: int = 32

  def __post_init__(self):
    errors.count('The number of samples of SampledCrossEntropy', self.samples)

  def __call__(self, online: networks.GaussianMixture, target: networks.GaussianMixture) -> tf.Tensor:
    """The mean over samples of -log p(sample), [...]."""
    drawn = tf.stop_gradient(target.sample(networks.draw(), self.samples))
    for _ in range(online.logits.shape.rank - target.logits.shape.rank):
      drawn = drawn[:, tf.newaxis]
    return -tf.reduce_mean(online.log_prob(drawn), axis=0)
