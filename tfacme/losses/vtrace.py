"""V-trace: values and advantages of a policy from what an older one did."""

from __future__ import annotations

from typing import Tuple

import tensorflow as tf


def vtrace(
  log_rhos: tf.Tensor,
  rewards: tf.Tensor,
  discounts: tf.Tensor,
  values: tf.Tensor,
  mask: tf.Tensor,
  clip_rho: float = 1.0,
  clip_policy_rho: float = 1.0,
) -> Tuple[tf.Tensor, tf.Tensor]:
  """V-trace (Espeholt et al. 2018, equation 1 in the recursive form of remark 1), across ends of episodes.

  With rho_t = min(clip_rho, pi / mu), c_t = min(1, pi / mu) and delta_t = rho_t (r_{t+1} + gamma_t v_{t+1} - v_t):
  vs_t = v_t + delta_t + gamma_t c_t (vs_{t+1} - v_{t+1}). A row that starts no transition is worth its value, vs = v:
  so a truncation bootstraps from the value of its final observation, and nothing crosses the border of an episode.

  It is written without a loop in the graph, which would cost more than its work.

  Args:
    log_rhos: [B, T], log pi - log mu of the actions taken.
    rewards: [B, T], r_{t+1} in row t.
    discounts: [B, T], gamma_t: the agent's discount times the environment's.
    values: [B, T + 1], v of these rows and of one more.
    mask: float [B, T], 1 where a row starts a real transition.
    clip_rho: the largest weight of an error.
    clip_policy_rho: the largest weight of an advantage.

  Returns:
    The targets of the values vs [B, T], and the weighted advantages min(clip, rho_t) (r_{t+1} + gamma_t vs_{t+1} - v_t)
    of the policy gradient (section 4.2), both without gradients.
  """
  rhos = tf.exp(tf.where(mask > 0, log_rhos, 0.0))  # What is masked may be huge.
  deltas = tf.minimum(rhos, clip_rho) * (rewards + discounts * values[:, 1:] - values[:, :-1])
  factors = discounts * tf.minimum(rhos, 1.0)
  beyond, reversed_ = tf.zeros_like(rewards[:, 0]), []  # vs - v of the row after
  for t in reversed(range(rewards.shape[1])):
    beyond = mask[:, t] * (deltas[:, t] + factors[:, t] * beyond)
    reversed_.append(beyond)
  targets = values[:, :-1] + tf.stack(reversed_[::-1], axis=1)
  next_targets = tf.concat([targets[:, 1:], values[:, -1:]], axis=1)
  advantages = tf.minimum(rhos, clip_policy_rho) * (rewards + discounts * next_targets - values[:, :-1])
  return tf.stop_gradient(targets), tf.stop_gradient(mask * advantages)
