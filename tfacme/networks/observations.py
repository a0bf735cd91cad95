"""How default networks read an observation: what of it is a choice, a number, an image, or no feature at all."""

from __future__ import annotations

from typing import Any, Callable, List, NamedTuple, Optional, Sequence

import numpy as np
import sonnet as snt
import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import errors, specs

MOST_VALUES = 2**16  # A choice among more would be a first layer of gigabytes.
_SMALLEST_IMAGE = 36  # The shorter side of a picture that has no axis of channels; a smaller one may be a board.
_SMALLEST_KERNEL = 3  # The side of the smallest one among the torsos' convolutions.

_Function = Callable[[tf.Tensor], tf.Tensor]


class _Reading(NamedTuple):
  """How one array of an observation is read."""

  spec: dm_specs.Array  # of what comes out
  read: Optional[_Function] = None  # from a batch [B, ...] to it; None leaves it as it is


class ObservationEncoder(snt.Module):
  """Puts the parts of an observation into the forms that torsos take: real numbers, and images [B, H, W, C].

  For each part, the first of these rules that fits:
  - the part `action_mask`, with all that is in it, is left out: it says what may be done, and is no feature;
  - a choice (`DiscreteArray`, `specs.MultiDiscreteArray`) becomes a one-hot vector, several ones one after the other;
  - an image with its channels first (see `specs.has_channels_first`) gets them last;
  - a stack of images [K, H, W, C] or [K, C, H, W], with sides of 36 or more, becomes one with K C channels;
  - a picture [H, W] in unsigned integers of one or two bytes, with sides of 36 or more, becomes one with one channel;
  - all else stays in its shape.
  Unsigned integers of one or two bytes are divided by the most that their spec allows, 255 or 65,535 if it does not
  say. (Images of 0 to 255 are not if convolutions follow: each convolutional torso does that itself.)
  """

  def __init__(self, observation_spec: Any, convolved: bool = True, name: Optional[str] = None):
    """Works out how each part is read.

    Args:
      observation_spec: a nest of `dm_env` specs.
      convolved: whether the images in it (`is_image`) go through a convolutional torso.
      name: of the module.

    Raises:
      UserError: if there are no numbers in it, or a choice among too many for a one-hot vector.
    """
    super().__init__(name)
    parts = specs.paths(observation_spec)
    self._readings = [
      None if specs.ACTION_MASK in path.split('/') else _reading(f'observation {path}'.rstrip(), spec, convolved)
      for path, spec in parts.items()
    ]
    if not sum(map(specs.size, self.spec)):
      raise errors.UserError(f'The observation has no numbers to learn from; its parts are {list(parts) or "none"}.')

  @property
  def spec(self) -> List[dm_specs.Array]:
    """The specs of what it returns."""
    return [reading.spec for reading in self._readings if reading is not None]

  @property
  def changes(self) -> bool:
    """Whether there is anything to do: if not, torsos can take the observation as it is."""
    return any(reading is None or reading.read is not None for reading in self._readings)

  def __call__(self, observation: Any) -> List[tf.Tensor]:
    """From a nest of observations [B, ...] to a list of its parts [B, ...], in the order of the flattened nest."""
    leaves = tf.nest.flatten(observation)
    if len(leaves) != len(self._readings):
      raise ValueError(f'The observation has {len(leaves)} parts, and its spec says {len(self._readings)}.')
    pairs = zip(self._readings, leaves)
    return [reading.read(leaf) if reading.read else leaf for reading, leaf in pairs if reading is not None]


def is_image(shape: Sequence[int]) -> bool:
  """Whether an array of this shape is an image [H, W, C] that a convolution fits on."""
  return len(shape) == 3 and min(shape[:2]) >= _SMALLEST_KERNEL


def _reading(name: str, spec: dm_specs.Array, convolved: bool) -> _Reading:
  if specs.is_choice(spec):
    return _one_hot(name, np.ravel(spec.num_values))
  shape, arrange = _image(spec)
  scale = _scale(spec, convolved and is_image(shape))
  dtype = spec.dtype if scale is None else np.dtype(np.float32)
  if arrange is None and scale is None:
    return _Reading(spec)

  def read(leaf: tf.Tensor) -> tf.Tensor:
    if scale is not None:
      leaf = tf.cast(leaf, tf.float32) * scale
    return leaf if arrange is None else arrange(leaf)

  return _Reading(dm_specs.Array(shape, dtype, name), read)


def _one_hot(name: str, num_values: np.ndarray) -> _Reading:
  """One vector for each choice, one after the other."""
  total = int(num_values.sum())
  if total > MOST_VALUES:
    raise errors.UserError(
      f'The {name} is a choice among {total:,} values, and default networks tell at most {MOST_VALUES:,} apart; bring '
      'networks that embed it, or a wrapper that makes numbers of it (a BoundedArray is one number).'
    )

  def read(leaf: tf.Tensor) -> tf.Tensor:
    choices = tf.reshape(tf.cast(leaf, tf.int32), [-1, len(num_values)])
    return tf.concat([tf.one_hot(choices[:, i], int(n)) for i, n in enumerate(num_values)], axis=1)

  return _Reading(dm_specs.Array((total,), np.float32, name), read)


def _image(spec: dm_specs.Array) -> tuple[tuple[int, ...], Optional[_Function]]:
  """The shape that an array is brought to, and the function [B, ...] that does so; None if it has it."""
  shape = tuple(spec.shape)
  if len(shape) == 2 and _is_small_integer(spec) and min(shape) >= _SMALLEST_IMAGE:
    return (*shape, 1), lambda leaf: leaf[..., tf.newaxis]
  if len(shape) == 3 and specs.has_channels_first(shape):
    return (*shape[1:], shape[0]), lambda leaf: tf.transpose(leaf, [0, 2, 3, 1])
  if len(shape) == 4:
    order = [0, 3, 4, 1, 2] if specs.has_channels_first(shape[1:]) else [0, 2, 3, 1, 4]
    height, width, images, channels = (shape[axis - 1] for axis in order[1:])
    if min(height, width) >= max(_SMALLEST_IMAGE, channels):
      stacked = (height, width, images * channels)
      return stacked, lambda leaf: tf.reshape(tf.transpose(leaf, order), [-1, *stacked])
  return shape, None


def _is_small_integer(spec: dm_specs.Array) -> bool:
  return spec.dtype.kind == 'u' and spec.dtype.itemsize <= 2


def _scale(spec: dm_specs.Array, convolved: bool) -> Optional[np.ndarray]:
  """What small unsigned integers are multiplied by, to be from 0 to 1; None for all that stays as it is."""
  if not _is_small_integer(spec):
    return None
  most = spec.maximum if isinstance(spec, dm_specs.BoundedArray) else np.iinfo(spec.dtype).max
  if np.all(np.equal(most, 1)) or (convolved and spec.dtype == np.uint8 and np.all(np.equal(most, 255))):
    return None
  return (1.0 / np.maximum(np.broadcast_to(most, spec.shape), 1)).astype(np.float32)
