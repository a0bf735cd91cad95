"""Planners: policies that imagine what their actions lead to, by a model, and take the first of the best plan."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Protocol, Tuple

import tensorflow as tf

from tfacme import core, errors
from tfacme.networks import actions, randomness, torsos


class PlanningModel(Protocol):
  """What a planner imagines by (a `tf.Module`): M rows at a time, each by itself.

  States are vectors, of which the first are flattened observations, and actions are vectors on the scale from -1 to 1.
  Rows are in the order of the observations, and of each of these in that of its trajectories: an ensemble may have
  each row's own member say what happens, throughout a trajectory.
  """

  def propose(self, state: tf.Tensor, previous_action: tf.Tensor) -> tf.Tensor:
    """The actions [M, D] that trajectories are sampled around, in states [M, S] after the actions before [M, D]."""
    ...

  def step(self, state: tf.Tensor, action: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
    """The next states [M, S], and the rewards on the way there [M]."""
    ...

  def value(self, state: tf.Tensor, previous_action: tf.Tensor) -> tf.Tensor:
    """What follows behind the end of a plan, [M], in the unit of the rewards."""
    ...


@dataclasses.dataclass(frozen=True)
class MPPI:
  """Model-predictive path integral control, guided by a policy and a value (Argenson & Dulac-Arnold 2021, algorithm 2).

  N trajectories are sampled around what the model proposes, with normal noise, each of their actions mixed with that
  of the last plan for the same step. The new plan is their average, weighted by exp(kappa R) with the return R of
  each: the sum of the rewards and the value of its end.

  Attributes:
    horizon: H, steps of a plan.
    trajectories: N, how many are sampled for each observation.
    sigma: the standard deviation of the noise, where actions lie between -1 and 1.
    beta: how much of an action is the last plan's, from 0 to 1.
    kappa: how much a unit of return counts: 0 averages all trajectories alike, and a large one takes the best.
  """

  horizon: int
  trajectories: int
  sigma: float
  beta: float
  kappa: float

  def __post_init__(self):
    for name in ('horizon', 'trajectories'):
      errors.count(name, getattr(self, name))
    for name, high in (('sigma', None), ('beta', 1), ('kappa', None)):
      errors.in_range(name, getattr(self, name))  # An infinite kappa would make NaNs of equal returns.
      errors.in_range(name, getattr(self, name), low=0, high=high)

  def __call__(self, model: PlanningModel, state: tf.Tensor, plan: tf.Tensor) -> tf.Tensor:
    """The plans [B, H, D] from states [B, S] on, whose first actions are for now.

    Args:
      model: by which trajectories are imagined.
      state: where they begin.
      plan: the last ones [B, H, D], whose first actions have been taken; zeros where there is none.
    """
    chosen, returns = self._sample(model, state, plan)
    weights = tf.nn.softmax(self.kappa * tf.reshape(returns, [-1, self.trajectories]), axis=1)
    chosen = tf.reshape(chosen, [self.horizon, -1, self.trajectories, plan.shape[2]])
    return tf.transpose(tf.reduce_sum(weights[..., tf.newaxis] * chosen, axis=2), [1, 0, 2])

  def _sample(self, model: PlanningModel, state: tf.Tensor, plan: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
    """The actions of all trajectories, [H, B * N, D], and their returns [B * N]."""
    each = lambda x: tf.repeat(x, self.trajectories, axis=0)
    planned = tf.transpose(shifted(plan), [1, 0, 2])
    seed = randomness.draw()

    def step(t, state, action, returns, chosen):
      with randomness.drawing(randomness.fold(seed, t)):
        proposed = model.propose(state, action)
        noise = self.sigma * tf.random.stateless_normal(tf.shape(proposed), randomness.draw())
        mixed = (1.0 - self.beta) * (proposed + noise) + self.beta * each(planned[t])
        # No other ones are taken, and of those the model has seen nothing.
        following = tf.clip_by_value(mixed, -1.0, 1.0)
        next_state, reward = model.step(state, following)
      # A loop wants shapes that stay as they are.
      next_state, taken = tf.ensure_shape(next_state, state.shape), tf.ensure_shape(following, action.shape)
      return t + 1, next_state, taken, tf.ensure_shape(returns + reward, returns.shape), chosen.write(t, following)

    start, before = each(state), each(plan[:, 0])
    chosen = tf.TensorArray(tf.float32, self.horizon, element_shape=before.shape)
    begin = (0, start, before, tf.zeros_like(start[:, 0]), chosen)
    _, end, last, returns, chosen = tf.while_loop(lambda t, *_: t < self.horizon, step, begin, parallel_iterations=1)
    return chosen.stack(), returns + model.value(end, last)


def shifted(plan: tf.Tensor) -> tf.Tensor:
  """A plan [B, H, D] a step later: without its first action, and with its last one twice."""
  return tf.concat([plan[:, 1:], plan[:, -1:]], axis=1)


class PlanningPolicy(tf.Module):
  """Plans anew at each step, and takes the first action of the plan; a `core.Policy`.

  Its state is the plan, [B, H, D], whose first action was taken: the next one begins with that, shifted by a step. At
  the start of an episode it is zeros, the middle of the bounds of actions. (Argenson & Dulac-Arnold 2021, algorithm 1.)
  """

  def __init__(self, model: Any, planner: MPPI, action_spec: Any):
    """Initializes the policy.

    Args:
      model: a `PlanningModel`.
      planner: makes plans by it.
      action_spec: of the environment, any nest of bounded real numbers.
    """
    super().__init__(name='planning_policy')
    self._model = model
    self._planner = planner
    # A module would wrap a nest of specs.
    self._to_environment = functools.partial(actions.from_vector, action_spec=action_spec)
    self._size = actions.vector_size(action_spec)

  def initial_state(self, batch_size: int) -> tf.Tensor:
    """Plans of zeros."""
    return tf.zeros([batch_size, self._planner.horizon, self._size])

  def __call__(
    self, observation: core.Nest, state: tf.Tensor, context: core.Context
  ) -> Tuple[core.Nest, tf.Tensor, core.Nest]:
    """From observations [B, ...] and the plans before them to actions [B, ...] and the next plans; no extras."""
    del context  # What is random is drawn by `networks.draw()`, whose seed is the context's.
    plan = self._planner(self._model, torsos.flatten_observation(observation), state)
    return self._to_environment(plan[:, 0]), plan, {}
