"""Variants of Q-learning, each a loss that is given to one update.

A variant is a function of the networks and of a batch of transitions, so that it can evaluate whatever it needs:

    def q_learning(online, target, transition):
      best = tf.reduce_max(target(transition.next_observation), axis=1)
      ...
      return q_learning.Losses(loss, errors, {'q': ...})

The networks return values [B, A] in which illegal actions are masked. Outputs of the target network need no
`stop_gradient`: gradients are taken with respect to the online network alone.

Where networks have memory, a variant is a function of the values that they gave along sequences (`SequenceQLoss`): of
these alone, since a network that is called once more would begin with another state.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Mapping, NamedTuple

import tensorflow as tf

from tfacme import mistakes
from tfacme.losses import values


class Losses(NamedTuple):
  """What a variant returns."""

  loss: tf.Tensor  # [B], of each transition; of sequences [B, T]
  errors: tf.Tensor  # of the same shape, by whose size prioritized replay samples
  metrics: Mapping[str, tf.Tensor]  # scalars


# (online network, target network, transition) -> Losses
QLoss = Callable[[Any, Any, Any], Losses]


class Sequence(NamedTuple):
  """What happened in T rows of a batch of sequences."""

  action: tf.Tensor  # integer [B, T]
  mask: tf.Tensor  # float [B, T], 1 where a row starts a transition; nothing is learned from the others
  # From values [B, T + 1] to the returns [B, T] of n steps that end in them; a second argument [B, T] is added to the
  # rewards.
  targets: Callable[..., tf.Tensor]


# (values of the online network [B, T + 1, A], those of the target network, sequence) -> Losses
SequenceQLoss = Callable[[tf.Tensor, tf.Tensor, Sequence], Losses]


@dataclasses.dataclass(frozen=True)
class DoubleQLearning:
  """Double Q-learning (van Hasselt et al. 2016, equation 4), or Q-learning (Mnih et al. 2015, equation 2).

  Attributes:
    double: whether the online network selects the action whose value the target network gives.
    huber_delta: errors count squared up to this size and linearly beyond.
  """

  double: bool = True
  huber_delta: float = 1.0

  def __call__(self, online: Any, target: Any, transition: Any) -> Losses:
    """See `Losses`."""
    target_q = target(transition.next_observation)
    selector_q = online(transition.next_observation) if self.double else target_q
    q = online(transition.observation)
    errors = values.double_q_learning(
      q, transition.action, transition.returns, transition.discount, target_q, selector_q
    )
    taken = values.of_actions(q, transition.action)
    return Losses(values.huber(errors, self.huber_delta), errors, {'q': tf.reduce_mean(taken)})


@dataclasses.dataclass(frozen=True)
class Sarsa:
  """Values of whoever acted in the data, by the actions that follow there (Sutton & Barto 2018, equation 6.7).

  Transitions after which there was no action, since their episode was truncated, have errors of 0.

  Attributes:
    huber_delta: errors count squared up to this size and linearly beyond.
  """

  huber_delta: float = 1.0

  def __call__(self, online: Any, target: Any, transition: Any) -> Losses:
    """See `Losses`."""
    q = values.of_actions(online(transition.observation), transition.action)
    next_value = values.of_actions(target(transition.next_observation), transition.next_action)
    # Before anything is made of them: what stands where there was no action may be the value of an illegal one.
    errors = transition.next_weight * (transition.returns + transition.discount * next_value - q)
    return Losses(values.huber(errors, self.huber_delta), errors, {'q': tf.reduce_mean(q)})


def sequence_double_q_learning(q: tf.Tensor, target_q: tf.Tensor, sequence: Sequence) -> Losses:
  """Double Q-learning along sequences (Kapturowski et al. 2019, section 2.3); a `SequenceQLoss`."""
  best = values.of_actions(target_q, tf.argmax(q, axis=2))
  taken = values.of_actions(q[:, :-1], sequence.action)
  errors = sequence.targets(best) - taken
  count = tf.maximum(tf.reduce_sum(sequence.mask), 1.0)
  return Losses(0.5 * errors**2, errors, {'q': tf.reduce_sum(sequence.mask * taken) / count})


def evaluate(loss: Callable[..., Losses], *arguments: Any) -> Losses:
  """What a variant returns for its arguments.

  Raises:
    errors.UserError: if that is no `Losses`.
  """
  losses = loss(*arguments)
  if not isinstance(losses, Losses):
    raise mistakes.returned(loss, losses, 'a q_learning.Losses')
  return losses
