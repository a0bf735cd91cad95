"""Several frames as one observation, in a TensorFlow graph: as `environments.wrappers.FrameStacking` has it."""

from __future__ import annotations

from typing import Any, Sequence

import tensorflow as tf
import tree

from tfacme import specs


def stack(frames: Any, spec: Any) -> Any:
  """A nest of observations [..., *shape] that are made of the frames [..., k, *shape] each, the oldest first.

  Args:
    frames: a nest of tensors.
    spec: of one frame.
  """
  leaves = [_join(leaf, path, part.shape) for leaf, (path, part) in zip(tree.flatten(frames), _parts(spec))]
  return tree.unflatten_as(spec, leaves)


def _parts(spec: Any) -> Any:
  return tree.flatten_with_path(spec)


def _join(frames: tf.Tensor, path: Sequence[Any], shape: Sequence[int]) -> tf.Tensor:
  lead = frames.shape.rank - len(shape) - 1  # The axis of the frames.
  if specs.ACTION_MASK in path:
    return tf.gather(frames, frames.shape[lead] - 1, axis=lead)
  if len(shape) in (0, 2):
    return _move(frames, lead, frames.shape.rank - 1)
  axis = lead if specs.has_channels_first(shape) else frames.shape.rank - 2
  joined = _move(frames, lead, axis)
  sizes = [size or tf.shape(joined)[i] for i, size in enumerate(joined.shape)]
  return tf.reshape(joined, [*sizes[:axis], joined.shape[axis] * joined.shape[axis + 1], *sizes[axis + 2 :]])


def _move(tensor: tf.Tensor, axis: int, to: int) -> tf.Tensor:
  """A tensor with one of its axes in another place."""
  order = list(range(tensor.shape.rank))
  order.insert(to, order.pop(axis))
  return tensor if axis == to else tf.transpose(tensor, order)
