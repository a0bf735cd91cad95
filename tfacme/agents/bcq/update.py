"""What BCQ learns (Fujimoto et al. 2019, "Benchmarking batch deep reinforcement learning algorithms", discrete BCQ).

The learning step is DQN's, with the loss that is here, of a network that says of each action what it is worth and how
likely it is in the data.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple, Optional

import sonnet as snt
import tensorflow as tf

from tfacme import core, networks
from tfacme.agents.bcq.networks import BCQNetworks
from tfacme.losses import q_learning, values
from tfacme.networks import masking

# The most that an unlikely action is worth: less than any that is likely, and more than an illegal one, so that whoever
# explores takes it.
UNLIKELY = masking.ILLEGAL / 4


class ValuesAndBehaviour(NamedTuple):
  """What there is to know of the actions of a state."""

  q: tf.Tensor  # [B, A], their values
  behaviour: networks.Categorical  # the distribution of the data's action

  def masked(self, legal: tf.Tensor) -> ValuesAndBehaviour:
    """The same with illegal actions masked in both; see `masking`."""
    return ValuesAndBehaviour(masking.masked(self.q, legal), self.behaviour.masked(legal))

  def likely(self, threshold: float) -> tf.Tensor:
    """Which actions are at least `threshold` times as likely as the likeliest one, bool [B, A]."""
    logits = self.behaviour.logits
    log_ratios = logits - tf.reduce_max(logits, axis=1, keepdims=True)
    return log_ratios >= (math.log(threshold) if threshold else -math.inf)

  def constrained(self, threshold: float) -> tf.Tensor:
    """The values, [B, A], of which those of unlikely actions are lowered to `UNLIKELY`."""
    return tf.where(self.likely(threshold), self.q, tf.minimum(self.q, UNLIKELY))


class BCQNetwork(snt.Module):
  """The networks of BCQ as one, from observations to `ValuesAndBehaviour`."""

  def __init__(self, parts: BCQNetworks, name: Optional[str] = None):
    super().__init__(name)
    self._torso, self._q, self._behaviour = parts.torso, parts.q, parts.behaviour

  def __call__(self, observation: core.Nest) -> ValuesAndBehaviour:
    """For a nest of observations [B, ...]."""
    features = self._torso(observation)
    return ValuesAndBehaviour(self._q(features), self._behaviour(features))


@dataclasses.dataclass(frozen=True)
class BatchConstrained:
  """Double Q-learning among the actions that are likely in the data, and imitation, which says which are; a `QLoss`.

  The Huber loss of the errors, the negative log-likelihood of the data's action, and a cost of the size of its logits.

  Attributes:
    threshold: tau, as of `ValuesAndBehaviour.likely`.
    logit_cost: the weight of the mean square of a state's logits.
    double: whether the online network selects the action whose value the target network gives.
    huber_delta: errors count squared up to this size and linearly beyond.
  """

  threshold: float = 0.3
  logit_cost: float = 0.01
  double: bool = True
  huber_delta: float = 1.0

  def __call__(self, online: Any, target: Any, transition: Any) -> q_learning.Losses:
    """See `Losses`; both networks return `ValuesAndBehaviour`. Which actions are likely, the online one says."""
    now, following = online(transition.observation), online(transition.next_observation)
    target_q = target(transition.next_observation).q
    selector = following if self.double else following._replace(q=target_q)
    errors = values.double_q_learning(
      now.q,
      transition.action,
      transition.returns,
      transition.discount,
      target_q,
      selector.constrained(self.threshold),
    )
    imitation = -now.behaviour.log_prob(transition.action)
    loss = values.huber(errors, self.huber_delta) + imitation + self.logit_cost * _mean_square(now.behaviour.logits)
    likely = tf.reduce_sum(tf.cast(now.likely(self.threshold), tf.float32), axis=1)
    metrics = {
      'q': tf.reduce_mean(values.of_actions(now.q, transition.action)),
      'imitation_loss': tf.reduce_mean(imitation),
      'likely_actions': tf.reduce_mean(likely),
    }
    return q_learning.Losses(loss, errors, metrics)


def _mean_square(logits: tf.Tensor) -> tf.Tensor:
  """Over the actions of a state, [B], of which illegal ones count as 0."""
  return tf.reduce_mean(tf.where(logits > masking.ILLEGAL / 2, logits, 0.0) ** 2, axis=1)
