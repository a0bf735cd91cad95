"""The recurrent states of policies and networks."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfacme import core


def restart(first: Any, initial: core.Nest, state: core.Nest) -> core.Nest:
  """States [B, ...]: the initial one where `first`, bool [B], says that an episode begins, and as it was elsewhere."""

  def choose(fresh: tf.Tensor, old: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.reshape(first, [-1] + [1] * (len(old.shape) - 1)), fresh, old)

  return tf.nest.map_structure(choose, initial, state)
