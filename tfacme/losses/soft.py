"""Losses of maximum-entropy reinforcement learning: tensors in, tensors out."""

from __future__ import annotations

import tensorflow as tf


def value(q: tf.Tensor, log_prob: tf.Tensor, temperature: tf.Tensor) -> tf.Tensor:
  """The soft value of a state from a sampled action (Haarnoja et al. 2018b, equation 3), by the lowest critic.

  Args:
    q: [K, B], the action's value by each of K critics.
    log_prob: [B], the logarithm of its density under the policy.
    temperature: alpha [], what a nat of entropy is worth.

  Returns:
    min_k q_k - alpha log pi, [B].
  """
  return tf.reduce_min(q, axis=0) - temperature * log_prob


def temperature_loss(log_temperature: tf.Tensor, log_prob: tf.Tensor, target_entropy: float) -> tf.Tensor:
  """The loss [] of a learned temperature (Haarnoja et al. 2018b, equation 18): mean of -alpha (log pi + H).

  Its gradient raises alpha while the policy's entropy is below the target, and lowers it while it is above.

  Args:
    log_temperature: log alpha [], the variable.
    log_prob: [B], of the policy's actions; no gradient flows into it.
    target_entropy: H, in nats.
  """
  return -tf.exp(log_temperature) * tf.reduce_mean(tf.stop_gradient(log_prob) + target_entropy)
