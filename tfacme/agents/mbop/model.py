"""The networks of MBOP as its planner asks them (Argenson & Dulac-Arnold 2021, algorithm 2)."""

from __future__ import annotations

from typing import Tuple

import tensorflow as tf

from tfacme import networks
from tfacme.agents.mbop.networks import MBOPNetworks


class MBOPModel(tf.Module):
  """A `networks.PlanningModel`; trajectory n goes by member n mod K throughout.

  Rewards and values are in standard deviations of the rewards in the data, so that a unit of return means the same
  whatever the environment's scale. Where the returns of `horizon` steps vary by more than those of so many equal
  rewards could, as where each step gives 1 until the episode ends, it is their deviation for each step.
  """

  def __init__(self, made: MBOPNetworks, horizon: int):
    super().__init__(name='mbop_model')
    self._horizon = horizon
    self._world_model, self._policy_prior = made.world_model, made.policy_prior
    self._return_model = made.return_model

  def propose(self, state: tf.Tensor, previous_action: tf.Tensor) -> tf.Tensor:
    """What each trajectory's own member of the policy prior would do."""
    return self._policy_prior.in_turn(tf.concat([state, previous_action], axis=1))

  def step(self, state: tf.Tensor, action: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
    """The state that each trajectory's own member comes to, and the mean reward of all members."""
    outputs = self._world_model(tf.concat([state, action], axis=1))
    reward = tf.reduce_mean(outputs[..., -1], axis=0)
    return state + networks.rows_in_turn(outputs[..., :-1]), reward / self._unit

  def value(self, state: tf.Tensor, previous_action: tf.Tensor) -> tf.Tensor:
    """The mean return of all members."""
    outputs = self._return_model(tf.concat([state, previous_action], axis=1))
    return tf.reduce_mean(outputs[..., 0], axis=0) / self._unit

  @property
  def _unit(self) -> tf.Tensor:
    return tf.maximum(self._world_model.deviations[-1], self._return_model.deviations[0] / self._horizon)
