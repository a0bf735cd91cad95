"""Losses and estimators of policy gradients: tensors in, tensors out."""

from __future__ import annotations

from typing import Tuple

import tensorflow as tf


def generalized_advantages(
  rewards: tf.Tensor, discounts: tf.Tensor, values: tf.Tensor, mask: tf.Tensor, gamma: float, lambda_: float
) -> Tuple[tf.Tensor, tf.Tensor]:
  """Generalized advantage estimation (Schulman et al. 2016, equations 11 and 16), across ends of episodes.

  With delta_t = r_{t+1} + gamma d_{t+1} v_{t+1} - v_t, the advantage of a row that starts a transition is
  A_t = delta_t + gamma d_{t+1} lambda A_{t+1}, and that of any other row is 0. So nothing flows from one episode into
  the one before: a termination (d = 0) bootstraps from nothing, a truncation from the value of its final observation.

  Args:
    rewards: [B, T], r_{t+1} in row t.
    discounts: [B, T], the environment's d_{t+1}.
    values: [B, T + 1], of the observations of these rows and of one more.
    mask: float [B, T], 1 where a row starts a real transition.
    gamma: the agent's discount for each step.
    lambda_: how much of the following errors is included; 0 is one step, 1 all.

  Returns:
    The advantages [B, T], and the targets of the values, A_t + v_t, [B, T].
  """
  factors = gamma * discounts
  deltas = rewards + factors * values[:, 1:] - values[:, :-1]
  advantage, reversed_ = tf.zeros_like(rewards[:, 0]), []
  for t in reversed(range(rewards.shape[1])):
    advantage = mask[:, t] * (deltas[:, t] + factors[:, t] * lambda_ * advantage)
    reversed_.append(advantage)
  advantages = tf.stack(reversed_[::-1], axis=1)
  return advantages, advantages + values[:, :-1]


def clipped_surrogate(log_ratio: tf.Tensor, advantages: tf.Tensor, clip: tf.Tensor) -> tf.Tensor:
  """What PPO maximizes, of each transition (Schulman et al. 2017, equation 7).

  Args:
    log_ratio: [N], the logarithm of the action's probability now over that when it was taken.
    advantages: [N]; no gradient flows into them.
    clip: epsilon [], how far from 1 a ratio still counts.

  Returns:
    min(rho A, clip(rho, 1 - epsilon, 1 + epsilon) A), [N].
  """
  ratio, advantages = tf.exp(log_ratio), tf.stop_gradient(advantages)
  return tf.minimum(ratio * advantages, tf.clip_by_value(ratio, 1.0 - clip, 1.0 + clip) * advantages)


def masked_mean(x: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
  """The mean [] of the entries of x where the mask (float, of the same shape) is 1; 0 if there are none."""
  return tf.reduce_sum(mask * x) / tf.maximum(tf.reduce_sum(mask), 1.0)


def standardize(x: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
  """x with mean 0 and standard deviation 1 over the entries where the mask (float, of the same shape) is 1."""
  centred = x - masked_mean(x, mask)
  return centred / (tf.sqrt(masked_mean(centred**2, mask)) + 1e-8)
