"""Critics: from observations and actions to values, or to distributions over values."""

from __future__ import annotations

from typing import Any, Callable, Optional, Sequence, Tuple

import sonnet as snt
import tensorflow as tf

from tfacme import core
from tfacme.networks import actions, distributions, randomness
from tfacme.networks.value_heads import ValueHead


class Ensemble(snt.Module):
  """Several networks of the same kind, such as the critics of one action."""

  def __init__(self, members: Sequence[snt.Module], name: Optional[str] = None):
    super().__init__(name)
    self._members = list(members)

  @property
  def members(self) -> Sequence[snt.Module]:
    """The networks, for who calls each of them in its own way."""
    return self._members

  def __call__(self, *args: Any) -> Any:
    """The outputs of K networks for the same inputs: a nest like each output, with leaves [K, B, ...]."""
    outputs = [member(*args) for member in self._members]
    return tf.nest.map_structure(lambda *leaves: tf.stack(leaves), *outputs)


def expected_value(
  critics: Callable[[core.Nest], tf.Tensor], policy: Any, action_spec: Any = None, samples: int = 1
) -> tf.Tensor:
  """The mean of the lowest critic's value over a policy's actions: of a single choice over all, else over samples.

  Args:
    critics: from actions, a nest [...], to the values [K, ...] that K critics have of them in the states in question;
      called once for each action of a choice, or for each sample.
    policy: the distribution of its actions in those states. The actions of a `Categorical` count by their
      probabilities, and nothing is drawn.
    action_spec: of the environment, by which samples are cut off at their bounds; a single choice needs none.
    samples: how many are drawn, one after the other.

  Returns:
    The values [...]; illegal actions, whose logits are `masking.ILLEGAL`, have no part in them.
  """
  if isinstance(policy, distributions.Categorical):
    shape = tf.shape(policy.logits)[:-1]
    q = [tf.reduce_min(critics(tf.fill(shape, action)), axis=0) for action in range(policy.logits.shape[-1])]
    return tf.reduce_sum(tf.nn.softmax(policy.logits) * tf.stack(q, axis=-1), axis=-1)
  drawn = [actions.within_bounds(policy.sample(randomness.draw()), action_spec) for _ in range(samples)]
  return tf.reduce_mean([tf.reduce_min(critics(action), axis=0) for action in drawn], axis=0)


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
    return self._head(_features(self._torso, self._normalizer, observation, action))


class CriticTorso(snt.Module):
  """Features of an observation and an action together, the two of which it takes as one.

  It makes a critic with memory, which takes both as one too:

      networks.Unrollable(networks.CriticTorso(torso, normalizer), networks.ValueHead(), networks.lstm(128))
  """

  def __init__(self, torso: snt.Module, normalizer: Optional[snt.Module] = None, name: Optional[str] = None):
    """Initializes the torso; `torso` and `normalizer` are as of a `Critic`."""
    super().__init__(name)
    self._torso = torso
    self._normalizer = normalizer

  def __call__(self, observation_and_action: Tuple[core.Nest, core.Nest]) -> tf.Tensor:
    """From a pair of nests, observations [B, ...] and actions [B, ...], to features [B, F]."""
    return _features(self._torso, self._normalizer, *observation_and_action)


def _features(torso: Any, normalizer: Any, observation: core.Nest, action: core.Nest) -> tf.Tensor:
  """Of an observation that is normalized first, if need be, and of an action."""
  return torso([observation if normalizer is None else normalizer(observation), action])
