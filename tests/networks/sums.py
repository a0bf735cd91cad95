"""A memory that can be worked by hand."""

import sonnet as snt
import tensorflow as tf


class Sum(snt.RNNCore):
  """Remembers the sum of all that it was given, single numbers [B, 1], and returns it."""

  def initial_state(self, batch_size):
    """Nothing was given yet."""
    return tf.zeros([batch_size, 1])

  def __call__(self, inputs, prev_state):
    """The next sum, twice."""
    total = prev_state + inputs
    return total, total
