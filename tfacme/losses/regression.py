"""Losses of policies that are regressed onto recorded actions, the better ones counting more: tensors in, tensors out.

How much an action counts is a weight, in which a batch's advantages are put; no gradient flows through it:

    weights = regression.exponential_weights(q - value, inverse_temperature=3.0, limit=100.0)
    loss = tf.reduce_mean(regression.weighted_likelihood(policy(observation).log_prob(action), weights))
"""

from __future__ import annotations

import tensorflow as tf


def exponential_weights(advantages: tf.Tensor, inverse_temperature: float, limit: float) -> tf.Tensor:
  """How much actions count by their advantages (Peng et al. 2019, algorithm 1): exp(beta A), at most the limit.

  They solve a policy improvement that stays near what acted in the data; a factor of each state is left out.

  Args:
    advantages: A [...], how much better actions are than the state's value.
    inverse_temperature: beta; 0 lets all actions count alike, as behaviour cloning does.
    limit: the highest weight; inf limits none.

  Returns:
    The weights [...], through which no gradient flows.
  """
  return tf.stop_gradient(tf.minimum(tf.exp(inverse_temperature * advantages), limit))


def indicator_weights(advantages: tf.Tensor) -> tf.Tensor:
  """1 for actions with an advantage above 0, and 0 for all others (Wang et al. 2020, CRR binary), [...]."""
  return tf.cast(advantages > 0.0, advantages.dtype)


def weighted_likelihood(log_prob: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
  """What a weighted regression minimizes, of each action: -w log pi (Peng et al. 2019, algorithm 1).

  Args:
    log_prob: [...], the logarithm of the actions' probabilities, or densities, under the policy.
    weights: [...], not below 0; no gradient flows into them.

  Returns:
    The losses [...].
  """
  return -tf.stop_gradient(weights) * log_prob
