"""Augmentations: batches that are altered at random in the learner's graph."""

from __future__ import annotations

import tensorflow as tf

from tfacme.networks import randomness


def random_shift(images: tf.Tensor, pixels: int = 4) -> tf.Tensor:
  """Images moved by up to so many pixels to any side, each by its own amount (Kostrikov et al. 2021, section 3.1).

  Args:
    images: [B, ..., H, W, C]; those of one item are moved alike.
    pixels: the farthest; what comes in from beyond the border repeats it.
  """
  shape = tf.shape(images)
  batch, height, width = shape[0], images.shape[-3], images.shape[-2]
  shifts = tf.random.stateless_uniform([2, batch], randomness.draw(), -pixels, pixels + 1, tf.int32)
  rows = tf.clip_by_value(tf.range(height) + shifts[0][:, tf.newaxis], 0, height - 1)
  columns = tf.clip_by_value(tf.range(width) + shifts[1][:, tf.newaxis], 0, width - 1)
  flat = tf.reshape(images, [batch, -1, height, width, images.shape[-1]])
  moved = tf.gather(tf.gather(flat, rows, axis=2, batch_dims=1), columns, axis=3, batch_dims=1)
  return tf.reshape(moved, shape)
