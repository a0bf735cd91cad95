"""Torsos: from the observations of any environment to one vector of features.

How an observation is read, what of it is a choice, an image or a number, is said in `ObservationEncoder`. Beyond that
nothing is normalized here, with one exception: convolutions divide images in bytes by 255.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional, Sequence

import sonnet as snt
import tensorflow as tf

from tfacme import errors
from tfacme.networks import normalization, observations, stochastic
from tfacme.networks.activations import Activation

_ACTIVATIONS: Mapping[str, Callable[[tf.Tensor], tf.Tensor]] = {
  'relu': tf.nn.relu,
  'elu': tf.nn.elu,
  'tanh': tf.nn.tanh,
  'silu': tf.nn.silu,
  'gelu': tf.nn.gelu,
}


def activation_function(name: Activation) -> Callable[[tf.Tensor], tf.Tensor]:
  """The function of an activation; raises a `UserError` if there is none of that name."""
  if name not in _ACTIVATIONS:
    raise errors.unknown('activation', name, _ACTIVATIONS, hint=f'take one of {", ".join(_ACTIVATIONS)}.')
  return _ACTIVATIONS[name]


def flatten_observation(observation: Any) -> tf.Tensor:
  """One vector for each observation of a batch.

  Args:
    observation: a nest (dict, tuple, observation-action-reward) of tensors [B, ...] of any numeric type: scalars,
      vectors, boards. Integers become real numbers as they are; an `ObservationEncoder` makes choices one-hot.

  Returns:
    All of it as float32 [B, D], the leaves in the order of `tf.nest.flatten` (a dict's by their keys).
  """
  leaves = [tf.cast(leaf, tf.float32) for leaf in tf.nest.flatten(observation)]
  vectors = [leaf if leaf.shape.rank == 2 else tf.reshape(leaf, [-1, leaf.shape[1:].num_elements()]) for leaf in leaves]
  return vectors[0] if len(vectors) == 1 else tf.concat(vectors, axis=1)


class MLPTorso(snt.Module):
  """Fully connected layers over the flattened observation, with the activation after the last one too."""

  def __init__(
    self,
    hidden_sizes: Sequence[int],
    activation: Activation = 'relu',
    dropout: float = 0.0,
    name: Optional[str] = None,
  ):
    """Initializes the layers.

    Args:
      hidden_sizes: units of each.
      activation: after each.
      dropout: share of the units of each that a learning step does without, as of `Dropout`.
      name: of the module.
    """
    super().__init__(name)
    _check_sizes(hidden_sizes)
    drop, activate = stochastic.Dropout(dropout), activation_function(activation)
    self._mlp = snt.nets.MLP(hidden_sizes, activation=lambda x: drop(activate(x)), activate_final=True)

  def __call__(self, observation: Any) -> tf.Tensor:
    """From a nest of observations [B, ...] to features [B, hidden_sizes[-1]]."""
    return self._mlp(flatten_observation(observation))


class LayerNormMLPTorso(snt.Module):
  """Fully connected layers over the flattened observation, of which the first is normalized (Ba et al. 2016).

  Its tangent keeps what the others see within bounds, whatever the scale of the observations (Acme's `LayerNormMLP`).
  """

  def __init__(
    self,
    hidden_sizes: Sequence[int],
    activation: Activation = 'relu',
    dropout: float = 0.0,
    name: Optional[str] = None,
  ):
    """Initializes the layers; the arguments are those of `MLPTorso`."""
    super().__init__(name)
    _check_sizes(hidden_sizes)
    if not hidden_sizes:
      raise errors.UserError('A torso with layer normalization has no layer to normalize; give it hidden_sizes.')
    self._first = snt.Linear(hidden_sizes[0])
    self._norm = snt.LayerNorm(axis=-1, create_scale=True, create_offset=True)
    self._dropout = stochastic.Dropout(dropout)
    self._rest = MLPTorso(hidden_sizes[1:], activation, dropout) if len(hidden_sizes) > 1 else None

  def __call__(self, observation: Any) -> tf.Tensor:
    """From a nest of observations [B, ...] to features [B, hidden_sizes[-1]]."""
    features = self._dropout(tf.tanh(self._norm(self._first(flatten_observation(observation)))))
    return features if self._rest is None else self._rest(features)


class AtariTorso(snt.Module):
  """The convolutions of Mnih et al. 2015 (Methods, "Model architecture"), without the fully connected layer."""

  SMALLEST = 36  # An image with a shorter side leaves nothing for the last convolution.

  def __init__(self, name: Optional[str] = None):
    super().__init__(name)
    layers = ((32, 8, 4), (64, 4, 2), (64, 3, 1))  # channels, kernel, stride
    self._layers = [snt.Conv2D(channels, kernel, stride, padding='VALID') for channels, kernel, stride in layers]

  def __call__(self, image: tf.Tensor) -> tf.Tensor:
    """From images [B, H, W, C], 84 x 84 x 4 in the paper, to features [B, D]; bytes are scaled to [0, 1]."""
    return _convolve(self._layers, image)


class SmallImageTorso(snt.Module):
  """One convolution for small images and boards with channels (Young & Tian 2019, section 4.1)."""

  def __init__(self, name: Optional[str] = None):
    super().__init__(name)
    self._layers = [snt.Conv2D(16, 3, stride=1, padding='VALID')]

  def __call__(self, image: tf.Tensor) -> tf.Tensor:
    """From images [B, H, W, C], 10 x 10 in the paper, to features [B, D]; bytes are scaled to [0, 1]."""
    return _convolve(self._layers, image)


class ResidualTorso(snt.Module):
  """The residual convolutions of Espeholt et al. 2018 (IMPALA, figure 3, right), without the fully connected layer."""

  def __init__(self, channels: Sequence[int] = (16, 32, 32), blocks: int = 2, name: Optional[str] = None):
    """Makes the layers.

    Args:
      channels: of each section, which halves both sides of the image.
      blocks: of two convolutions in each section, each added to what comes into it.
    """
    super().__init__(name)
    self._first = [snt.Conv2D(width, 3) for width in channels]
    self._blocks = [[(snt.Conv2D(width, 3), snt.Conv2D(width, 3)) for _ in range(blocks)] for width in channels]

  def __call__(self, image: tf.Tensor) -> tf.Tensor:
    """From images [B, H, W, C] to features [B, D]; bytes are scaled to [0, 1]."""
    features = _scaled(image)
    for first, blocks in zip(self._first, self._blocks):
      features = tf.nn.max_pool2d(first(features), ksize=3, strides=2, padding='SAME')
      for inner, outer in blocks:
        features += outer(tf.nn.relu(inner(tf.nn.relu(features))))
    return flatten_observation(tf.nn.relu(features))


class MixedTorso(snt.Module):
  """Convolutions for each image of an observation; their features and all the rest, concatenated, to one MLP."""

  def __init__(
    self,
    observation_spec: Any,
    hidden_sizes: Sequence[int],
    activation: Activation = 'relu',
    residual: bool = False,
    layer_norm: bool = False,
    dropout: float = 0.0,
    name: Optional[str] = None,
  ):
    super().__init__(name)
    self._torsos = [image_torso(spec.shape, residual) for spec in tf.nest.flatten(observation_spec)]
    self._mlp = _mlp(hidden_sizes, activation, layer_norm, dropout)

  def __call__(self, observation: Any) -> tf.Tensor:
    """From a nest of observations [B, ...] to features [B, hidden_sizes[-1]]."""
    leaves = tf.nest.flatten(observation)
    return self._mlp([leaf if torso is None else torso(leaf) for torso, leaf in zip(self._torsos, leaves)])


def image_torso(shape: Sequence[int], residual: bool = False) -> Optional[snt.Module]:
  """The convolutions for an observation of this shape; None if it is no image [H, W, C] that one fits on."""
  if not observations.is_image(shape):
    return None
  if residual:
    return ResidualTorso()
  return AtariTorso() if min(shape[:2]) >= AtariTorso.SMALLEST else SmallImageTorso()


def has_image(observation_spec: Any) -> bool:
  """Whether an observation spec has an image that goes through convolutions."""
  return any(observations.is_image(spec.shape) for spec in observations.ObservationEncoder(observation_spec).spec)


def default_hidden_sizes(observation_spec: Any) -> Sequence[int]:
  """Of fully connected layers: one of 512 where there is an image (Mnih et al. 2015), and two of 256 elsewhere."""
  return (512,) if has_image(observation_spec) else (256, 256)


def default_torso(
  observation_spec: Any,
  hidden_sizes: Optional[Sequence[int]] = None,
  activation: Activation = 'relu',
  normalize: bool = False,
  residual: bool = False,
  layer_norm: bool = False,
  dropout: float = 0.0,
) -> snt.Module:
  """The torso that suits an observation spec.

  Args:
    observation_spec: a nest of `dm_env` specs, read as `ObservationEncoder` says. Images [H, W, C] go through
      convolutions; scalars, vectors and boards [H, W] are flattened, choices are one-hot.
    hidden_sizes: of the fully connected layers, () for none; None is `default_hidden_sizes`.
    activation: of the fully connected layers.
    normalize: whether an `ObservationNormalizer` comes before them.
    residual: whether images go through a `ResidualTorso`.
    layer_norm: whether the fully connected layers are a `LayerNormMLPTorso`.
    dropout: share of the units of each fully connected layer that a learning step does without, as of `Dropout`.

  Returns:
    A module from a nest of observations [B, ...] to features [B, hidden_sizes[-1]].
  """
  if normalize:
    torso = default_torso(observation_spec, hidden_sizes, activation, False, residual, layer_norm, dropout)
    return snt.Sequential([normalization.ObservationNormalizer(observation_spec), torso])
  encoder = observations.ObservationEncoder(observation_spec)
  if hidden_sizes is None:
    hidden_sizes = default_hidden_sizes(observation_spec)
  if has_image(observation_spec):
    return _encoded(encoder, MixedTorso(encoder.spec, hidden_sizes, activation, residual, layer_norm, dropout))
  return _encoded(encoder, _mlp(hidden_sizes, activation, layer_norm, dropout))


def mlp_torso(observation_spec: Any, hidden_sizes: Sequence[int], activation: Activation = 'relu') -> snt.Module:
  """Fully connected layers over all of an observation, images flattened too; read as `ObservationEncoder` says."""
  encoder = observations.ObservationEncoder(observation_spec, convolved=False)
  return _encoded(encoder, MLPTorso(hidden_sizes, activation))


def _encoded(encoder: observations.ObservationEncoder, torso: snt.Module) -> snt.Module:
  return snt.Sequential([encoder, torso]) if encoder.changes else torso


def _check_sizes(hidden_sizes: Any) -> None:
  if not isinstance(hidden_sizes, Sequence) or isinstance(hidden_sizes, str):
    raise errors.UserError(f'hidden_sizes is {hidden_sizes!r}, and has to be a sequence, such as (64, 64).')
  for size in hidden_sizes:
    errors.count('A size of hidden_sizes', size)


def _mlp(hidden_sizes: Sequence[int], activation: Activation, layer_norm: bool, dropout: float) -> snt.Module:
  return (LayerNormMLPTorso if layer_norm else MLPTorso)(hidden_sizes, activation, dropout)


def _convolve(layers: Sequence[snt.Module], image: tf.Tensor) -> tf.Tensor:
  """Convolutions with a ReLU after each, flattened."""
  features = _scaled(image)
  for layer in layers:
    features = tf.nn.relu(layer(features))
  return flatten_observation(features)


def _scaled(image: tf.Tensor) -> tf.Tensor:
  """An image as float32; of bytes, in [0, 1]."""
  values = tf.cast(image, tf.float32)
  return values * (1 / 255) if image.dtype == tf.uint8 else values
