"""Losses and return estimators for the values of actions: tensors in, tensors out."""

from __future__ import annotations

import math
from typing import Tuple

import tensorflow as tf


def clip_rewards(rewards: tf.Tensor, limit: float) -> tf.Tensor:
  """Rewards [...] clipped to [-limit, limit]; unchanged if that is infinite."""
  return tf.clip_by_value(rewards, -limit, limit) if math.isfinite(limit) else rewards


def n_step_return(
  rewards: tf.Tensor, discounts: tf.Tensor, mask: tf.Tensor, n: int, gamma: float
) -> Tuple[tf.Tensor, tf.Tensor]:
  """The discounted sum of up to n rewards, and the discount of the value that follows them (Sutton & Barto 2018, 7.1).

  With m <= n the number of rows, from the first on, that start real transitions: the return is
  sum_{k<m} (prod_{j<k} gamma d_j) r_k, and the discount prod_{k<m} gamma d_k. So a termination (d = 0) leaves nothing
  to bootstrap from, and a truncation after m rows bootstraps from the final observation, m steps on.

  Args:
    rewards: [B, T], with T >= n, or [B, T, K] of rewards with K parts; r_{t+1} in row t.
    discounts: [B, T], the environment's d_{t+1}.
    mask: float [B, T], 1 where a row starts a real transition.
    n: the most steps to sum over.
    gamma: the agent's discount for each step.

  Returns:
    The return [B], or [B, K], and the bootstrap's discount [B].
  """
  returns, discount = tf.zeros_like(rewards[:, 0]), tf.ones_like(discounts[:, 0])
  factors = gamma * discounts
  for k in reversed(range(n)):
    real = mask[:, k] > 0
    onward = rewards[:, k] + _as_wide(factors[:, k], returns) * returns
    returns = tf.where(_as_wide(real, returns), onward, 0.0)
    discount = tf.where(real, factors[:, k] * discount, 1.0)
  return returns, discount


def _as_wide(x: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
  """x [...] as [..., 1], where `other` has one axis more: else it would be taken for a part of the batch."""
  return x if x.shape.rank == other.shape.rank else x[..., tf.newaxis]


def n_step_targets(
  rewards: tf.Tensor, discounts: tf.Tensor, values: tf.Tensor, mask: tf.Tensor, n: int, gamma: float
) -> tf.Tensor:
  """The n-step return from every row of a sequence (Sutton & Barto 2018, 7.1); shorter where the sequence ends.

  From row t it sums m rewards and takes the value of row t + m: m is n, or less if an episode or the sequence ends
  before, in which case that is the value of the final observation there.

  Args:
    rewards: [B, T], or [B, T, K] of rewards with K parts; r_{t+1} in row t.
    discounts: [B, T], the environment's d_{t+1}.
    values: [B, T + 1] or [B, T + 1, K], of these rows and of one more.
    mask: float [B, T], 1 where a row starts a real transition.
    n: the most steps to sum over.
    gamma: the agent's discount for each step.

  Returns:
    The returns, as the rewards; of a row that starts no transition, its value.
  """
  factors, end = _as_wide(gamma * discounts, rewards), values[:, -1:]
  real, targets = _as_wide(mask > 0, rewards), values
  for _ in range(n):
    onward = rewards + factors * targets[:, 1:]
    targets = tf.concat([tf.where(real, onward, values[:, :-1]), end], axis=1)
  return targets[:, :-1]


def signed_hyperbolic(x: tf.Tensor, epsilon: float = 1e-3) -> tf.Tensor:
  """Squashes values of any size: sign(x) (sqrt(|x| + 1) - 1) + epsilon x (Pohlen et al. 2018, proposition A.2)."""
  # The difference as a quotient: no digits cancel near 0, where the slope is 1/2 + epsilon as it should be.
  return x * (1.0 / (tf.sqrt(tf.abs(x) + 1.0) + 1.0) + epsilon)


def inverse_signed_hyperbolic(x: tf.Tensor, epsilon: float = 1e-3) -> tf.Tensor:
  """The inverse of `signed_hyperbolic` (Pohlen et al. 2018, proposition A.2)."""
  # With w = sqrt(|y| + 1) - 1 of the inverse y, epsilon w^2 + (1 + 2 epsilon) w = |x|; then |y| = w (w + 2).
  linear = 1.0 + 2.0 * epsilon
  w = 2.0 * x / (linear + tf.sqrt(linear**2 + 4.0 * epsilon * tf.abs(x)))
  return w * (tf.abs(w) + 2.0)


def double_q_learning(
  q: tf.Tensor,
  action: tf.Tensor,
  returns: tf.Tensor,
  discount: tf.Tensor,
  next_value: tf.Tensor,
  next_selector: tf.Tensor,
) -> tf.Tensor:
  """Errors of double Q-learning (van Hasselt et al. 2016, equation 4).

  They are returns + discount * next_value[argmax next_selector] - q[action]. Q-learning is the case in which the
  target network selects too. No gradient flows into the target.

  Args:
    q: [B, A], values of the actions in the first observation.
    action: integer [B], the action taken.
    returns: [B], the reward of the (n-step) transition.
    discount: [B], of the value of the last observation.
    next_value: [B, A], of the target network in the last observation.
    next_selector: [B, A], values that select the action there.

  Returns:
    The errors [B], target minus estimate.
  """
  import trfl  # It takes a second, which only a learner that needs it spends.

  action = tf.cast(action, tf.int32)  # Of some other types trfl takes none.
  return trfl.double_qlearning(q, action, returns, discount, next_value, next_selector).extra.td_error


def of_actions(q: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
  """The values [...] that q [..., A] has of actions, integers of any type [...]."""
  return tf.gather(q, tf.cast(action, tf.int32), batch_dims=q.shape.rank - 1)


def huber(x: tf.Tensor, delta: float) -> tf.Tensor:
  """x^2 / 2 where |x| <= delta, and delta (|x| - delta / 2) beyond (Huber 1964); an infinite delta is just a square."""
  size = tf.abs(x)
  clipped = tf.minimum(size, delta)
  return clipped * (size - 0.5 * clipped)


def expectile(errors: tf.Tensor, fraction: float) -> tf.Tensor:
  """The asymmetric squared loss, whose minimum is an expectile (Kostrikov et al. 2022, section 4.1).

  Args:
    errors: u [...], target minus estimate.
    fraction: tau; errors above 0 count by it, and those below by 1 - tau. 1/2 makes the estimate a mean, and close to 1
      it comes near the largest target.

  Returns:
    |tau - [u < 0]| u^2, [...].
  """
  return tf.where(errors < 0.0, 1.0 - fraction, fraction) * errors**2


def importance_weights(probability: tf.Tensor, table_size: tf.Tensor, exponent: tf.Tensor) -> tf.Tensor:
  """Weights that undo the bias of prioritized sampling (Schaul et al. 2016, section 3.4).

  They are w_i = (N P(i))^-beta, divided by the largest of the batch so that they only ever scale an update down.

  Args:
    probability: [B], P(i), above 0.
    table_size: [B], N, an integer or a real number.
    exponent: beta [], a number or a tensor; 1 undoes all of the bias, 0 none.

  Returns:
    The weights [B], in (0, 1].
  """
  excess = probability * tf.cast(table_size, probability.dtype)
  # The quotient first: the powers of small probabilities would overflow.
  return (tf.reduce_min(excess) / excess) ** exponent
