"""Ensembles of models that learn one regression from other initial weights, evaluated together.

All members are one module: a product of matrices for each layer, whatever their number. (`networks.Ensemble` has
members that are modules of their own.)
"""

from __future__ import annotations

import math
from typing import Any, Optional, Sequence

import sonnet as snt
import tensorflow as tf

from tfacme import errors
from tfacme.networks import torsos
from tfacme.networks.activations import Activation
from tfacme.networks.normalization import Normalizer

_LIMIT = 10.0  # of normalized inputs, as of an `ObservationNormalizer`: a model is not asked far from what it has seen


class EnsembleMLP(snt.Module):
  """K networks of fully connected layers, each with weights of its own, and without an activation after the last."""

  def __init__(self, members: int, sizes: Sequence[int], activation: Activation = 'relu', name: Optional[str] = None):
    """Initializes the networks.

    Args:
      members: K.
      sizes: units of each layer, the last of which are the outputs.
      activation: after each layer but the last.
      name: of the module.
    """
    super().__init__(name)
    self._layers = [_EnsembleLinear(members, size) for size in sizes]
    self._activate = torsos.activation_function(activation)

  def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
    """From inputs [K, M, I], of each member its own, to outputs [K, M, O]."""
    *hidden, last = self._layers
    for layer in hidden:
      inputs = self._activate(layer(inputs))
    return last(inputs)


class EnsembleRegressor(snt.Module):
  """An ensemble that learns a function of vectors: plain numbers go in and come out, normalized ones within.

  Inputs and targets are normalized to mean 0 and standard deviation 1 over all that was learned from, and the errors
  are of normalized outputs, so that each of them counts alike.

  Attributes:
    members: K, how many members there are.
  """

  def __init__(self, network: Any, members: int, inputs: int, outputs: int, name: Optional[str] = None):
    """Initializes the statistics.

    Args:
      network: a module from inputs [K, M, I], of each member its own, to outputs [K, M, O], such as an `EnsembleMLP`.
      members: K.
      inputs: I, how many numbers go in.
      outputs: O, how many come out.
      name: of the module.
    """
    super().__init__(name)
    errors.count('The number of members of an ensemble', members)
    self.members = members
    self._network = network
    self._inputs, self._outputs = Normalizer([inputs]), Normalizer([outputs])

  @property
  def deviations(self) -> tf.Tensor:
    """The standard deviation of each target over what was learned from, [O]; 1 at first."""
    return self._outputs.std

  def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
    """What all members say, [K, M, O], of inputs [M, I]."""
    return self._outputs.inverse(self._normalized_outputs(inputs))

  def in_turn(self, inputs: tf.Tensor) -> tf.Tensor:
    """What a single member says of each row, [M, O], of inputs [M, I]: member i mod K of row i.

    M has to be a multiple of K. It costs a K-th of what asking all of them does.
    """
    size = inputs.shape[-1]
    dealt = tf.transpose(tf.reshape(self._normalized(inputs), [-1, self.members, size]), [1, 0, 2])
    outputs = tf.transpose(self._network(dealt), [1, 0, 2])
    return self._outputs.inverse(tf.reshape(outputs, [-1, outputs.shape[-1]]))

  def mean_squared_errors(self, inputs: tf.Tensor, targets: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Of each normalized output, the mean over members and rows, [O].

    Args:
      inputs: [M, I].
      targets: [M, O], of which no statistics are taken here; see `update`.
      mask: float [M, O], or [M, 1] for all outputs: 1 where one counts; 0 is its mean if none does.
    """
    weights = tf.broadcast_to(mask, tf.shape(targets))
    squares = (self._normalized_outputs(inputs) - self._outputs(targets)) ** 2
    counted = tf.reduce_sum(weights * squares, axis=1) / tf.maximum(tf.reduce_sum(weights, axis=0), 1.0)
    return tf.reduce_mean(counted, axis=0)

  def update(self, inputs: tf.Tensor, targets: tf.Tensor, mask: tf.Tensor) -> None:
    """Updates the statistics with inputs [M, I] and targets [M, O]; see `mean_squared_errors` for the mask.

    The inputs of a row count where one of its outputs does.
    """
    self._inputs.update(inputs, tf.reduce_max(mask, axis=1))
    self._outputs.update(targets, tf.broadcast_to(mask, tf.shape(targets)))

  def _normalized(self, inputs: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(self._inputs(inputs), -_LIMIT, _LIMIT)

  def _normalized_outputs(self, inputs: tf.Tensor) -> tf.Tensor:
    return self._network(tf.tile(self._normalized(inputs)[tf.newaxis], [self.members, 1, 1]))


def rows_in_turn(outputs: tf.Tensor) -> tf.Tensor:
  """Of what K members say, [K, M, ...], the row of a single one each, [M, ...]: row i of member i mod K."""
  members, rows = outputs.shape[0], tf.range(tf.shape(outputs)[1])
  flat = tf.reshape(outputs, [-1, *outputs.shape[2:]])
  return tf.gather(flat, rows % members * tf.size(rows) + rows)


class _EnsembleLinear(snt.Module):
  """K linear layers, each initialized as Sonnet initializes one."""

  def __init__(self, members: int, outputs: int):
    super().__init__(name='linear')
    errors.count('The number of members of an ensemble', members)
    errors.count('The size of a layer', outputs)
    self._members, self._outputs = members, outputs

  @snt.once
  def _create(self, size: int) -> None:
    init = snt.initializers.TruncatedNormal(stddev=1.0 / math.sqrt(size))
    self.w = tf.Variable(init([self._members, size, self._outputs], tf.float32), name='w')
    self.b = tf.Variable(tf.zeros([self._members, 1, self._outputs]), name='b')

  def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
    """From inputs [K, M, I] to outputs [K, M, O]."""
    self._create(inputs.shape[-1])
    return inputs @ self.w + self.b
