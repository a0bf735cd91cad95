"""A policy that sees the last few frames where it is given single ones."""

from __future__ import annotations

import functools
from typing import Any, Sequence, Tuple

import tensorflow as tf
import tree

from tfacme import core
from tfacme.tensors import frames


class StackedPolicy(tf.Module):
  """Makes stacks of the frames that it is given, and has another policy choose by them; a `core.Policy`.

  Its state holds the frames before, beside the other's state. What it makes of them is what
  `environments.wrappers.FrameStacking` gives: an episode starts with its first frame repeated. The extras are the other
  policy's.
  """

  def __init__(self, policy: core.Policy, observation_spec: Any, stack: int):
    """Initializes the policy.

    Args:
      policy: takes stacked observations.
      observation_spec: of single frames.
      stack: how many frames make an observation; at least 2.
    """
    super().__init__(name='stacked_policy')
    self._policy = policy
    self.pulls = getattr(policy, 'pulls', 'policy')
    # A module would wrap a nest of specs.
    self._stack = functools.partial(frames.stack, spec=observation_spec)
    self._no_frames = functools.partial(_zeros, tree.flatten(observation_spec), stack - 1)

  def initial_state(self, batch_size: int) -> core.Nest:
    """No frame yet, and the other policy's own."""
    return {
      'frames': self._no_frames(batch_size),
      'begun': tf.zeros([batch_size], tf.bool),
      'policy': self._policy.initial_state(batch_size),
    }

  def __call__(
    self, observation: core.Nest, state: core.Nest, context: core.Context
  ) -> Tuple[core.Nest, core.Nest, core.Nest]:
    """From single frames [B, ...] to actions [B, ...]."""
    pairs = zip(state['frames'], tf.nest.flatten(observation))
    seen = tuple(_append(before, frame, state['begun']) for before, frame in pairs)
    stacked = self._stack(tf.nest.pack_sequence_as(observation, seen))
    actions, inner, extras = self._policy(stacked, state['policy'], context)
    frames_now = tuple(leaf[:, 1:] for leaf in seen)
    return actions, {'frames': frames_now, 'begun': tf.ones_like(state['begun']), 'policy': inner}, extras


def _zeros(specs: Sequence[Any], count: int, batch_size: Any) -> Tuple[tf.Tensor, ...]:
  return tuple(tf.zeros([batch_size, count, *spec.shape], tf.as_dtype(spec.dtype)) for spec in specs)


def _append(before: tf.Tensor, frame: tf.Tensor, begun: tf.Tensor) -> tf.Tensor:
  """Frames [B, k, ...]: those before [B, k - 1, ...], or where no episode has begun this one again, and this one."""
  frames = tf.concat([before, frame[:, tf.newaxis]], axis=1)
  count = frames.shape[1]
  # By their places, since TFLite does not choose among bytes.
  return tf.gather(frames, tf.where(begun[:, tf.newaxis], tf.range(count), count - 1), batch_dims=1)
