"""Critics: from observations and actions to values, or to distributions over values."""

from __future__ import annotations

from typing import Any, Optional, Sequence

import sonnet as snt
import tensorflow as tf

from tfacme import core
from tfacme.networks import distributions, randomness
from tfacme.networks.value_heads import ValueHead


class Ensemble(snt.Module):
  """Several networks of the same kind, such as the critics of one action."""

  def __init__(self, members: Sequence[snt.Module], name: Optional[str] = None):
    super().__init__(name)
    self._members = list(members)

  def __call__(self, *args: Any) -> Any:
    """The outputs of K networks for the same inputs: a nest like each output, with leaves [K, B, ...]."""
    outputs = [member(*args) for member in self._members]
    return tf.nest.map_structure(lambda *leaves: tf.stack(leaves), *outputs)


def expected_value(critics: Any, policy: distributions.Categorical, observation: core.Nest) -> tf.Tensor:
  """The mean over the actions of a choice, by their probabilities, of the lowest critic's value.

  Args:
    critics: from observations and actions, int32 [B], to the values [K, B] of K critics, as an `Ensemble` of them;
      called once for each action.
    policy: with logits [B, A].
    observation: a nest of observations [B, ...].

  Returns:
    The values [B]; illegal actions, whose logits are `masking.ILLEGAL`, have no part in them.
  """
  shape = tf.shape(policy.logits)[:-1]
  q = [tf.reduce_min(critics(observation, tf.fill(shape, action)), axis=0) for action in range(policy.logits.shape[-1])]
  return tf.reduce_sum(tf.nn.softmax(policy.logits) * tf.stack(q, axis=-1), axis=-1)


def random_subset(values: tf.Tensor, count: Optional[int]) -> tf.Tensor:
  """The values [M, B] of M critics that are drawn for a whole batch (Chen et al. 2021, REDQ, algorithm 1).

  Args:
    values: [K, B], of all critics.
    count: M, how many are drawn; None takes all, and draws nothing.
  """
  if count is None:
    return values
  order = tf.argsort(tf.random.stateless_uniform([values.shape[0]], randomness.draw()))
  return tf.gather(values, order[:count])


class Critic(snt.Module):
  """The value of an action, from features of the observation and the action together."""

  def __init__(
    self,
    torso: snt.Module,
    normalizer: Optional[snt.Module] = None,
    head: Optional[snt.Module] = None,
    name: Optional[str] = None,
  ):
    """Initializes the critic.

    Args:
      torso: from [observation, action] to features [B, F], such as `default_torso([spec.observations, spec.actions])`.
      normalizer: of the observation, before the torso; None leaves it as it is.
      head: from features to a value or a distribution over values; None is a `ValueHead`.
      name: of the module.
    """
    super().__init__(name)
    self._torso = torso
    self._normalizer = normalizer
    self._head = head or ValueHead(name='value')

  def __call__(self, observation: core.Nest, action: core.Nest) -> Any:
    """From nests of observations [B, ...] and actions [B, ...] to values [B], or whatever the head returns."""
    if self._normalizer is not None:
      observation = self._normalizer(observation)
    return self._head(self._torso([observation, action]))
