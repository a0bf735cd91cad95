"""What an actor tells a policy, for tests that call one themselves."""

from __future__ import annotations

from typing import Optional, Sequence

import tensorflow as tf

from tfacme import core


def context(slots: int, steps: int = 0, seed: Sequence[int] = (1, 2), of: Optional[int] = None) -> core.Context:
  """The context of a call for the first `slots` of `of` slots, none of which begins an episode."""
  return core.Context(
    seed=tf.constant(seed, tf.int32),
    steps=tf.constant(steps, tf.int64),
    index=tf.range(slots),
    slots=tf.constant(slots if of is None else of),
    first=tf.zeros([slots], tf.bool),
    episode_seed=tf.stack([tf.range(slots), tf.zeros([slots], tf.int32)], axis=1),
    episode=tf.zeros([slots], tf.int32),
  )
