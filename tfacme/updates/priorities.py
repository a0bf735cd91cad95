"""Prioritized sampling, the learner's side: importance weights and new priorities."""

from __future__ import annotations

from typing import Optional

import tensorflow as tf

from tfacme import configs, core, schedules
from tfacme.losses import values


def importance_weights(config: configs.PrioritizedConfig, info: core.Info, steps: tf.Tensor) -> tf.Tensor:
  """The importance weights [B] of a batch after so many learner steps []; 1 [] of a batch that is sampled uniformly."""
  if not config.priority_exponent:
    return tf.ones([])
  exponent = schedules.value(config.importance_exponent, steps)
  return values.importance_weights(info.probability, info.table_size, exponent)


def item_priorities(config: configs.PrioritizedConfig, errors: tf.Tensor) -> Optional[tf.Tensor]:
  """The priorities [B] of items by their errors [B] (Schaul et al. 2016, section 3.3); None if sampling is uniform."""
  return tf.abs(errors) + config.priority_offset if config.priority_exponent else None


def sequence_priorities(
  config: configs.PrioritizedConfig, errors: tf.Tensor, mask: tf.Tensor, max_weight: float
) -> Optional[tf.Tensor]:
  """The priorities [B] of sequences (Kapturowski et al. 2019, section 2.3); None if sampling is uniform.

  Args:
    config: whether sampling is prioritized, and what is added so that every sequence can be sampled again.
    errors: [B, T], 0 where the mask is.
    mask: float [B, T], 1 where a row is learned from.
    max_weight: eta, the share of the largest error; the rest is the mean.
  """
  if not config.priority_exponent:
    return None
  sizes, count = tf.abs(errors), tf.reduce_sum(mask, axis=1)
  means = tf.reduce_sum(sizes, axis=1) / tf.maximum(count, 1.0)
  mixed = max_weight * tf.reduce_max(sizes, axis=1) + (1.0 - max_weight) * means
  # A sequence in which nothing is learned from is never sampled again.
  return tf.where(count > 0, mixed + config.priority_offset, 0.0)
