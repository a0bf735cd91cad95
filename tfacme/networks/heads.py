"""Heads: from features to the values of actions."""

from __future__ import annotations

from typing import Optional

import sonnet as snt
import tensorflow as tf


class DuellingHead(snt.Module):
  """Action values as a state's value plus each action's advantage (Wang et al. 2016).

  Attributes:
    num_actions: A, how many actions there are.
  """

  def __init__(self, num_actions: int, name: Optional[str] = None):
    super().__init__(name)
    self._value = snt.Linear(1, name='value')
    self._advantage = snt.Linear(num_actions, name='advantage')

  def __call__(self, features: tf.Tensor) -> tf.Tensor:
    """From features [B, D] to action values [B, A] (equation 9)."""
    advantage = self._advantage(features)
    return self._value(features) + advantage - tf.reduce_mean(advantage, axis=-1, keepdims=True)


def q_head(num_actions: int, duelling: bool = False) -> snt.Module:
  """A linear head from features [B, D] to action values [B, A], duelling or plain."""
  return DuellingHead(num_actions, name='q') if duelling else snt.Linear(num_actions, name='q')
