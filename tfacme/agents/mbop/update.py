"""One learning step of MBOP (Argenson & Dulac-Arnold 2021, "Model-based offline planning")."""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence, Tuple

import tensorflow as tf

from tfacme import core, networks, updates
from tfacme.agents.mbop.config import MBOPConfig
from tfacme.agents.mbop.model import MBOPModel
from tfacme.agents.mbop.networks import MBOPNetworks


class _Rows(NamedTuple):
  """What a network learns in one step: outputs of inputs."""

  inputs: Sequence[tf.Tensor]  # parts [B, ...] of I numbers
  targets: Sequence[tf.Tensor]  # parts [B, ...] of O numbers
  mask: tf.Tensor  # [B, O], or [B, 1] for all of them: 1 where the target is known


class MBOPUpdate(tf.Module):
  """Learns a world model, a policy prior and a return model, all by regression (section 3.1).

  Attributes:
    published: the model, by which the planner acts.
  """

  def __init__(self, made: MBOPNetworks, config: MBOPConfig, action_spec: Any):
    super().__init__(name='mbop')
    self._to_vector = lambda action: networks.to_vector(action, action_spec)
    self._world_model, self._policy_prior, self._return_model = made.world_model, made.policy_prior, made.return_model
    regressors = self._world_model, self._policy_prior, self._return_model
    self._optimizers = [updates.Adam.of(regressor, config) for regressor in regressors]
    self.published = {'policy': MBOPModel(made, config.horizon)}

  def __call__(self, batch: core.Batch) -> core.UpdateOutput:
    """Learns from transitions, items of two rows: [B, 2, ...]."""
    steps, ones = batch.steps, tf.ones_like(batch.mask[:, :1])
    state, following = (networks.flatten_observation(_row(steps.observation, row)) for row in (0, -1))
    action, reward = self._to_vector(_row(steps.action, 0)), steps.reward[:, :1]
    previous = self._to_vector(_row(steps.extras['previous_action'], 0))
    # No action came before the first one: the middle of the bounds, as in the planner's first plan.
    previous = tf.where(steps.first[:, :1], 0.0, previous)
    known = steps.extras['return_ahead_weight'][:, :1]
    # What a terminated episode ends in means nothing, and many data have a copy of the state before in its place.
    goes_on = tf.cast(steps.discount[:, :1] > 0, tf.float32) * tf.ones_like(state)

    world = _Rows([state, action], [following - state, reward], tf.concat([goes_on, ones], axis=1))  # f_m
    prior = _Rows([state, previous], [action], ones)  # f_b
    ahead = _Rows([state, previous], [steps.extras['return_ahead'][:, :1]], known)  # f_R
    regressors = self._world_model, self._policy_prior, self._return_model
    learned = [_learn(*one) for one in zip(regressors, self._optimizers, (world, prior, ahead))]
    errors, norms = zip(*learned)
    metrics = {
      'loss': tf.add_n([tf.reduce_mean(own) for own in errors]),
      'state_error': tf.reduce_mean(errors[0][:-1]),
      'reward_error': errors[0][-1],
      'action_error': tf.reduce_mean(errors[1]),
      'return_error': errors[2][0],
      'known_returns': tf.reduce_mean(known),
      'world_model_gradient_norm': norms[0],
      'policy_prior_gradient_norm': norms[1],
      'return_model_gradient_norm': norms[2],
    }
    return core.UpdateOutput(metrics)


def _learn(regressor: networks.EnsembleRegressor, optimizer: updates.Adam, rows: _Rows) -> Tuple[tf.Tensor, tf.Tensor]:
  """A gradient step of one network; the mean squared error of each of its normalized outputs [O], and the norm []."""
  inputs, targets = (tf.concat(parts, axis=1) for parts in (rows.inputs, rows.targets))
  regressor.update(inputs, targets, rows.mask)  # Before the step, whose targets are on that scale then.

  def loss():
    errors = regressor.mean_squared_errors(inputs, targets, rows.mask)
    return tf.reduce_mean(errors), errors

  (_, errors), norm = optimizer.minimize(loss)
  return errors, norm


def _row(nest: core.Nest, row: int) -> core.Nest:
  """One row of each item, [B, ...]."""
  return tf.nest.map_structure(lambda x: x[:, row], nest)
