"""Priorities, by hand."""

import numpy as np
import tensorflow as tf

from tfacme import configs, updates

_CONFIG = configs.PrioritizedConfig(priority_offset=0.5)
_UNIFORM = configs.PrioritizedConfig(priority_exponent=0.0)


def test_of_items():
  np.testing.assert_allclose(updates.item_priorities(_CONFIG, tf.constant([-2.0, 0.0])), [2.5, 0.5])
  assert updates.item_priorities(_UNIFORM, tf.constant([1.0])) is None


def test_of_sequences():
  errors = tf.constant([[-4.0, 2.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
  mask = tf.constant([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
  # 0.9 * 4 + 0.1 * 3 + 0.5; an error of 0 is sampled again; where there is nothing to learn from there is no use.
  found = updates.sequence_priorities(_CONFIG, errors, mask, 0.9)
  np.testing.assert_allclose(found, [4.4, 0.5, 0.0], rtol=1e-6)
  assert updates.sequence_priorities(_UNIFORM, errors, mask, 0.9) is None
