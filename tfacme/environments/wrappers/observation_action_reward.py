"""Observations that hold the last action and reward."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

import dm_env
import numpy as np
import tree
from dm_env import specs

from tfacme.environments import leaves
from tfacme.environments.wrappers import base
from tfacme.specs import is_choice


class OAR(NamedTuple):
  """An observation with what led to it.

  Attributes:
    observation: The observation of the wrapped environment.
    action: The action before it, of the action spec's dtype; zeros in the first step of an episode.
    reward: The reward that came with it; zero in the first step of an episode.
  """

  observation: Any
  action: Any
  reward: Any


class ObservationActionReward(base.EnvironmentWrapper):
  """Makes each observation an `OAR`, for agents with a memory."""

  def __init__(self, environment: dm_env.Environment):
    """Wraps `environment`."""
    super().__init__(environment)
    action_spec, reward_spec = environment.action_spec(), environment.reward_spec()
    self._observation_spec = OAR(
      observation=environment.observation_spec(),
      action=tree.map_structure(_with_zero, action_spec),
      reward=tree.map_structure(_with_zero, reward_spec),
    )
    self._copy = leaves.apply_each(tree.map_structure(_copier, action_spec))
    self._no_action = tree.map_structure(_zeros, action_spec)
    self._no_reward = tree.map_structure(_zeros, reward_spec)

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode."""
    return self._first(self._environment.reset())

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step, or starts an episode if none is going on."""
    timestep = self._environment.step(action)
    if timestep.first():
      return self._first(timestep)
    step_type, reward, discount, observation = timestep
    return dm_env.TimeStep(step_type, reward, discount, OAR(observation, self._copy(action), reward))

  def observation_spec(self) -> OAR:
    """Describes observations: an `OAR` of specs. Bounds that exclude zero are widened to it."""
    return self._observation_spec

  def _first(self, timestep: dm_env.TimeStep) -> dm_env.TimeStep:
    return timestep._replace(observation=OAR(timestep.observation, self._no_action, self._no_reward))


def _with_zero(spec: specs.Array) -> specs.Array:
  """The spec of an action or a reward that may also be zero."""
  if not isinstance(spec, specs.BoundedArray) or is_choice(spec):
    return spec
  return spec.replace(minimum=np.minimum(spec.minimum, 0), maximum=np.maximum(spec.maximum, 0))


def _zeros(spec: specs.Array) -> Any:
  return np.zeros(spec.shape, spec.dtype)[()]


def _copier(spec: specs.Array) -> Callable[[Any], Any]:
  """Copies an action, in the dtype of its spec: an agent may reuse its array, and observations are kept."""
  dtype = spec.dtype
  return (lambda value: np.array(value, dtype)) if spec.shape else dtype.type
