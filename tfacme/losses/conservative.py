"""What holds values low where there are no data (Kumar et al. 2020, CQL(H)): tensors in, tensors out.

The gap of a state is the logarithm of the sum, or the integral, of exp(Q) over all of its actions, minus the value of
the recorded action. Whoever makes it smaller lowers the values of actions, the highest ones most, and raises those of
the data:

    loss = errors**2 + weight * conservative.gap_of_choices(q, action)
"""

from __future__ import annotations

import math

import tensorflow as tf

from tfacme.losses import values


def gap_of_choices(q: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
  """The gap where actions can be counted (Kumar et al. 2020, equation 4): log sum_a exp Q(s, a) - Q(s, action).

  It is the cross-entropy of the recorded action to the softmax of the values, and so never below 0.

  Args:
    q: [..., A], the values of all actions; `networks.ILLEGAL` of those that are none.
    action: integer [...], the recorded one.

  Returns:
    The gaps [...].
  """
  return tf.reduce_logsumexp(q, axis=-1) - values.of_actions(q, action)


def gap_of_samples(q: tf.Tensor, log_density: tf.Tensor, taken: tf.Tensor) -> tf.Tensor:
  """The gap by importance sampling, where actions are real numbers (Kumar et al. 2020, appendix F).

  The integral of exp Q(s, a) over actions is the mean of exp Q(s, a_i) / p_i(a_i), each a_i drawn from a density p_i of
  its own; its logarithm is what takes the place of the log-sum-exp. It may be below `taken`.

  Args:
    q: [..., N], the values of N sampled actions.
    log_density: log p_i(a_i), which broadcasts with `q`; no gradient flows into it.
    taken: [...], the value of the recorded action.

  Returns:
    The gaps [...].
  """
  ratios = q - tf.stop_gradient(log_density)
  return tf.reduce_logsumexp(ratios, axis=-1) - math.log(q.shape[-1]) - taken


def calibrated(q: tf.Tensor, returns: tf.Tensor, free: int) -> tf.Tensor:
  """Values of sampled actions, those of a policy raised to a return that was had (Nakamoto et al. 2023, Cal-QL).

  What is raised has no gradient: no value is pushed below what the policy that acted in the data has got from there.

  Args:
    q: [..., B, N], the values of N sampled actions.
    returns: [B], the return from the state on.
    free: how many of the N, the first ones, are of no policy and left as they are.

  Returns:
    The values [..., B, N].
  """
  return tf.concat([q[..., :free], tf.maximum(q[..., free:], returns[:, tf.newaxis])], axis=-1)
