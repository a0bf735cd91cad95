"""Actions as networks see them, and as environments take them.

An agent's distributions are over int32 choices and over vectors of real numbers on the scale from -1 to 1; an
environment's actions have types, shapes and bounds of their own, in nests. Here is the one place that goes from one to
the other, leaf by leaf.
"""

from __future__ import annotations

import functools
from typing import Any, List

import numpy as np
import tensorflow as tf
import tree
from dm_env import specs as dm_specs

from tfacme import core, mistakes, specs


def to_environment(sample: core.Nest, action_spec: Any, by: Any = 'The network') -> core.Nest:
  """A network's actions as the environment takes them; what lies beyond -1 or 1 is cut off.

  Args:
    sample: a nest like the spec; int32 [...] of a choice, int32 [..., N] of N at once, float32 [..., D] of D real
      numbers, where N and D count all of an array of any shape.
    action_spec: of the environment, a nest.
    by: the function that chose them, for errors.
  """
  if sample is None:
    raise mistakes.returned(by, sample, 'actions')
  return tree.map_structure_up_to(action_spec, functools.partial(_to_leaf, by), action_spec, sample)


def from_environment(action: core.Nest, action_spec: Any) -> core.Nest:
  """An environment's actions, a nest of leaves [..., *shape], as `to_environment` takes them."""
  return tree.map_structure_up_to(action_spec, _from_leaf, action_spec, action)


def within_bounds(sample: core.Nest, action_spec: Any) -> core.Nest:
  """A network's actions with what lies beyond -1 or 1 cut off, as `to_environment` does; what it says of their nest."""
  clipped = lambda spec, leaf: leaf if specs.is_choice(spec) else tf.clip_by_value(leaf, -1.0, 1.0)
  return tree.map_structure_up_to(action_spec, clipped, action_spec, sample)


def network_spec(action_spec: Any) -> Any:
  """The spec of a network's actions: of choices as it is, of real numbers a vector between -1 and 1.

  Several choices at once, in an array of any shape, are a vector too.
  """

  def leaf(spec: Any) -> Any:
    if specs.is_discrete(spec):
      return spec
    if specs.is_multi_discrete(spec):
      return specs.MultiDiscreteArray(np.ravel(spec.num_values), spec.dtype, spec.name)
    return dm_specs.BoundedArray((specs.size(spec),), np.float32, -1.0, 1.0, spec.name)

  return tree.map_structure(leaf, action_spec)


def to_vector(action: core.Nest, action_spec: Any) -> tf.Tensor:
  """An environment's actions of real numbers, a nest of leaves [..., *shape], as one vector [..., D].

  It is for models that take an action as a whole: all its numbers, on the scale from -1 to 1, in the order of the
  flattened nest.
  """
  return tf.concat(tree.flatten(from_environment(action, action_spec)), axis=-1)


def from_vector(vector: tf.Tensor, action_spec: Any) -> core.Nest:
  """The actions, as the environment takes them, of vectors [..., D] as `to_vector` makes them."""
  sizes = _sizes(action_spec)
  parts = tree.unflatten_as(action_spec, tf.split(vector, sizes, axis=-1))
  return to_environment(parts, action_spec)


def vector_size(action_spec: Any) -> int:
  """D, how many numbers such a vector has."""
  return sum(_sizes(action_spec))


def _sizes(action_spec: Any) -> List[int]:
  return [specs.size(leaf) for leaf in tree.flatten(action_spec)]


def to_bounds(action: tf.Tensor, spec: dm_specs.BoundedArray) -> tf.Tensor:
  """Actions [..., *shape] in [-1, 1] as the environment takes them: -1 is the lowest and 1 the highest."""
  low, high = tf.constant(spec.minimum, tf.float32), tf.constant(spec.maximum, tf.float32)
  scaled = tf.cast(low + (action + 1.0) * 0.5 * (high - low), tf.as_dtype(spec.dtype))
  return tf.clip_by_value(scaled, spec.minimum, spec.maximum)  # It may be beyond by rounding.


def from_bounds(action: tf.Tensor, spec: dm_specs.BoundedArray) -> tf.Tensor:
  """An environment's actions [..., *shape] on the scale from -1 to 1."""
  low, high = tf.constant(spec.minimum, tf.float32), tf.constant(spec.maximum, tf.float32)
  return 2.0 * (tf.cast(action, tf.float32) - low) / (high - low) - 1.0


def _to_leaf(by: Any, spec: Any, sample: tf.Tensor) -> tf.Tensor:
  specs.check_action_type(by, tf.convert_to_tensor(sample).dtype, spec)
  if not specs.is_discrete(spec) and len(spec.shape) != 1:
    sample = tf.reshape(sample, tf.concat([tf.shape(sample)[:-1], spec.shape], axis=0))
  if specs.is_choice(spec):
    return tf.cast(sample, tf.as_dtype(spec.dtype))
  return to_bounds(tf.clip_by_value(sample, -1.0, 1.0), spec)


def _from_leaf(spec: Any, action: tf.Tensor) -> tf.Tensor:
  scaled = tf.cast(action, tf.int32) if specs.is_choice(spec) else from_bounds(action, spec)
  if specs.is_discrete(spec) or len(spec.shape) == 1:
    return scaled
  batch = tf.shape(action)[: len(action.shape) - len(spec.shape)]
  return tf.reshape(scaled, tf.concat([batch, [specs.size(spec)]], axis=0))
