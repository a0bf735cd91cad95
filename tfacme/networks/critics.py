"""Critics: from observations and actions to values."""

from __future__ import annotations

from typing import Any, Optional

import sonnet as snt
import tensorflow as tf


class Critic(snt.Module):
  """The value of a continuous action, from features of the observation and the action together."""

  def __init__(self, torso: snt.Module, name: Optional[str] = None):
    """Initializes the critic.

    Args:
      torso: from [observation, action] to features [B, F], such as `default_torso([spec.observations, spec.actions])`.
      name: of the module.
    """
    super().__init__(name)
    self._torso = torso
    self._value = snt.Linear(1, name='value')

  def __call__(self, observation: Any, action: tf.Tensor) -> tf.Tensor:
    """From a nest of observations [B, ...] and actions [B, D] to values [B]."""
    return self._value(self._torso([observation, action]))[:, 0]
