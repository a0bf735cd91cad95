"""Running statistics, by which numbers are normalized to mean 0 and standard deviation 1."""

from __future__ import annotations

from typing import Any, Optional, Sequence

import numpy as np
import sonnet as snt
import tensorflow as tf

_SMALLEST_STD = 1e-4  # What hardly moves is not blown up.


def _of_rows(mask: tf.Tensor, rank: int) -> tf.Tensor:
  """A mask of rows [N], with axes for the numbers of a row; one that has them as it is."""
  return tf.reshape(mask, [-1] + [1] * rank) if mask.shape.rank == 1 else mask


@snt.allow_empty_variables
class Normalizer(snt.Module):
  """The mean and the variance of all numbers seen so far, old ones counting less if a decay says so."""

  def __init__(self, shape: Sequence[int], decay: float = 1.0, name: Optional[str] = None):
    """Initializes the statistics.

    Args:
      shape: of what is normalized.
      decay: what the weight of all that was seen before is multiplied by at each update; 1 forgets nothing.
      name: of the module.
    """
    super().__init__(name)
    self._decay = decay
    self._count = tf.Variable(tf.zeros(shape), trainable=False, name='count')
    self._mean = tf.Variable(tf.zeros(shape), trainable=False, name='mean')
    self._variance = tf.Variable(tf.ones(shape), trainable=False, name='variance')

  @property
  def std(self) -> tf.Tensor:
    """The standard deviation by which it divides, of the given shape; 1 at first."""
    return tf.maximum(tf.sqrt(self._variance), _SMALLEST_STD)

  def __call__(self, x: tf.Tensor) -> tf.Tensor:
    """Normalizes x [..., *shape]."""
    return (x - self._mean) / self.std

  def inverse(self, x: tf.Tensor) -> tf.Tensor:
    """From normalized numbers [..., *shape] to plain ones."""
    return x * self.std + self._mean

  def update(self, x: tf.Tensor, mask: tf.Tensor) -> None:
    """Updates the statistics (Chan et al. 1979).

    Args:
      x: [N, *shape].
      mask: float, 1 where a row counts [N], or where a number does [N, *shape].
    """
    weights = tf.broadcast_to(_of_rows(mask, self._mean.shape.rank), tf.shape(x))
    count = tf.reduce_sum(weights, axis=0)
    before = self._decay * self._count
    total = tf.maximum(before + count, 1.0)
    mean = tf.reduce_sum(weights * x, axis=0) / tf.maximum(count, 1.0)
    variance = tf.reduce_sum(weights * (x - mean) ** 2, axis=0) / tf.maximum(count, 1.0)
    between = (mean - self._mean) ** 2 * (before / total) * (count / total)
    # Before anything was seen, the variance of 1 has no weight.
    self._variance.assign(
      tf.where(count > 0, (before * self._variance + count * variance) / total + between, self._variance)
    )
    self._mean.assign_add((mean - self._mean) * count / total)
    self._count.assign(before + count)


@snt.allow_empty_variables
class ObservationNormalizer(snt.Module):
  """Normalizes the real numbers of an observation; the first layer of a network. Images in bytes pass unchanged.

  Learning steps update it by `update_normalizers`; its variables are part of the network's, so an actor has the
  statistics of the same version as its network.
  """

  def __init__(self, observation_spec: Any, limit: float = 10.0, name: Optional[str] = None):
    """Initializes the statistics.

    Args:
      observation_spec: a nest of `dm_env` specs.
      limit: normalized numbers are clipped to this size.
      name: of the module.
    """
    super().__init__(name)
    self._limit = limit
    self._shapes = tuple(tuple(spec.shape) for spec in tf.nest.flatten(observation_spec))
    self._leaves = [
      Normalizer(spec.shape) if np.issubdtype(spec.dtype, np.floating) else None
      for spec in tf.nest.flatten(observation_spec)
    ]

  def __call__(self, observation: Any) -> Any:
    """From a nest of observations [B, ...] to the same nest, normalized."""
    leaves = [
      leaf if normalizer is None else tf.clip_by_value(normalizer(tf.cast(leaf, tf.float32)), -self._limit, self._limit)
      for normalizer, leaf in zip(self._leaves, tf.nest.flatten(observation), strict=True)
    ]
    return tf.nest.pack_sequence_as(observation, leaves)

  def update(self, observation: Any, mask: tf.Tensor) -> None:
    """Updates the statistics with a nest of observations [N, ...], those where `mask` [N] is 1."""
    leaves = tf.nest.flatten(observation)
    given = tuple(tuple(leaf.shape[1:]) for leaf in leaves)
    if given != self._shapes:
      raise ValueError(
        f'A normalizer of observations of shapes {list(self._shapes)} was given some of {list(given)}: one of a part '
        'of the observation is updated by its own `update`, with that part.'
      )
    for normalizer, leaf in zip(self._leaves, leaves):
      if normalizer is not None:
        normalizer.update(tf.cast(leaf, tf.float32), mask)


def update_normalizers(module: tf.Module, observation: Any, mask: Optional[tf.Tensor] = None) -> None:
  """Updates every `ObservationNormalizer` within a module; for any agent's update, as its last step.

  Args:
    module: the update itself; in an agent around another one, the wrapper's own networks alone, since the update inside
      updates its own.
    observation: a nest of observations [B, T, ...].
    mask: 1 where an observation counts, [B, T]; None is everywhere.
  """
  flat = tf.nest.map_structure(lambda x: tf.reshape(x, [-1, *x.shape[2:]]), observation)
  weights = tf.ones(tf.shape(tf.nest.flatten(flat)[0])[:1]) if mask is None else tf.reshape(mask, [-1])
  for part in module.submodules:
    if isinstance(part, ObservationNormalizer):
      part.update(flat, weights)
