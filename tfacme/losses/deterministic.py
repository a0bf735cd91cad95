"""What deterministic policies minimize: tensors in, tensors out.

A variant is a function of a critic's values of the policy's actions, of these actions, and of those that were taken:

    def gradient(q, action, taken):
      return deterministic.PolicyLoss(-tf.reduce_mean(q), {})

Gradients are taken with respect to the policy alone, and come through the values as well as through the actions.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Mapping, NamedTuple

import tensorflow as tf

from tfacme import mistakes


class PolicyLoss(NamedTuple):
  """What a variant returns."""

  loss: tf.Tensor  # []
  metrics: Mapping[str, tf.Tensor]  # scalars


# (values [B], the policy's actions and those that were taken, nests of [B, D] between -1 and 1) -> PolicyLoss
Variant = Callable[[tf.Tensor, Any, Any], PolicyLoss]


def policy_gradient(q: tf.Tensor, action: Any, taken: Any) -> PolicyLoss:
  """Minus the mean value: the deterministic policy gradient (Silver et al. 2014, equation 9); a `Variant`."""
  del action, taken
  return PolicyLoss(-tf.reduce_mean(q), {})


@dataclasses.dataclass(frozen=True)
class BehaviourRegularized:
  """Values, and the distance to the actions that were taken (Fujimoto & Gu 2021, section 5); a `Variant`.

  It is the mean of (pi(s) - a)^2 over transitions and numbers of an action, minus lambda times the mean value, with
  lambda = alpha / mean |Q(s, pi(s))|, through which no gradient flows: so alpha says how much values count, whatever
  their scale. Where all values are 0, lambda is too.

  Attributes:
    alpha: how much values count; 0 is behaviour cloning.
  """

  alpha: float = 2.5

  def __call__(self, q: tf.Tensor, action: Any, taken: Any) -> PolicyLoss:
    """See `Variant`."""
    action, taken = (tf.concat(tf.nest.flatten(nest), axis=-1) for nest in (action, taken))
    error = tf.reduce_mean((action - taken) ** 2)
    weight = tf.math.divide_no_nan(self.alpha, tf.stop_gradient(tf.reduce_mean(tf.abs(q))))
    return PolicyLoss(error - weight * tf.reduce_mean(q), {'behaviour_error': error, 'value_weight': weight})


def evaluate(variant: Variant, q: tf.Tensor, action: Any, taken: Any) -> PolicyLoss:
  """What a variant returns for its arguments.

  Raises:
    errors.UserError: if that is no `PolicyLoss`.
  """
  found = variant(q, action, taken)
  if not isinstance(found, PolicyLoss):
    raise mistakes.returned(variant, found, 'a deterministic.PolicyLoss')
  return found
