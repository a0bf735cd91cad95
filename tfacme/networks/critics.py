"""Critics: from observations and actions to values."""

from __future__ import annotations

from typing import Any, Optional, Sequence

import sonnet as snt
import tensorflow as tf


class Ensemble(snt.Module):
  """Several critics of the same action."""

  def __init__(self, critics: Sequence[snt.Module], name: Optional[str] = None):
    super().__init__(name)
    self._critics = list(critics)

  def __call__(self, observation: Any, action: tf.Tensor) -> tf.Tensor:
    """What each of K critics says of actions [B, D], [K, B]."""
    return tf.stack([critic(observation, action) for critic in self._critics])


class Critic(snt.Module):
  """The value of a continuous action, from features of the observation and the action together."""

  def __init__(self, torso: snt.Module, normalizer: Optional[snt.Module] = None, name: Optional[str] = None):
    """Initializes the critic.

    Args:
      torso: from [observation, action] to features [B, F], such as `default_torso([spec.observations, spec.actions])`.
      normalizer: of the observation, before the torso; None leaves it as it is.
      name: of the module.
    """
    super().__init__(name)
    self._torso = torso
    self._normalizer = normalizer
    self._value = snt.Linear(1, name='value')

  def __call__(self, observation: Any, action: tf.Tensor) -> tf.Tensor:
    """From a nest of observations [B, ...] and actions [B, D] to values [B]."""
    if self._normalizer is not None:
      observation = self._normalizer(observation)
    return self._value(self._torso([observation, action]))[:, 0]
