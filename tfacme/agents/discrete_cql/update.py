"""One learning step of CQL(H) where actions are choices (Kumar et al. 2020, "Conservative Q-learning ...")."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfacme import core, updates
from tfacme.agents import dqn
from tfacme.agents.discrete_cql.config import DiscreteCQLConfig
from tfacme.agents.discrete_cql.networks import DiscreteCQLNetworks
from tfacme.losses import conservative, q_learning


class DiscreteCQLUpdate(tf.Module):
  """A learning step of DQN, which makes a gap smaller too: that between all actions and the recorded one.

  Attributes:
    published: the online network, by which the policy acts.
  """

  def __init__(self, made: DiscreteCQLNetworks, config: DiscreteCQLConfig, loss: q_learning.QLoss):
    super().__init__(name='discrete_cql')
    rate = config.conservative_weight_learning_rate
    self._weight = updates.Multiplier(config.conservative_weight, config.gap_threshold, rate, config)
    self._loss = loss
    self._dqn = dqn.DQNUpdate(made, config, self._conservative)
    self.published = self._dqn.published

  def __call__(self, batch: core.Batch) -> core.UpdateOutput:
    """Learns from items whose first and last observations count: [B, 2, ...], or [B, T, ...] around a wrapper."""
    output = self._dqn(batch)
    self._weight.update(output.metrics['gap'])  # Appendix F, if it is learned.
    return output

  def _conservative(self, online: Any, target: Any, transition: updates.Transition) -> q_learning.Losses:
    """The loss of Q-learning and the gap (equation 4), of the same values; a `q_learning.QLoss`."""
    weight, q = self._weight(), online(transition.observation)
    same = lambda observation: q if observation is transition.observation else online(observation)
    losses = q_learning.evaluate(self._loss, same, target, transition)
    gap = conservative.gap_of_choices(q, transition.action)
    metrics = {**losses.metrics, 'gap': tf.reduce_mean(gap), 'conservative_weight': weight}
    return losses._replace(loss=losses.loss + weight * gap, metrics=metrics)
