"""What environments and streams look like."""

from __future__ import annotations

from typing import Any, NamedTuple

import dm_env
import numpy as np
from dm_env import specs as dm_specs

from tfacme import core


class EnvironmentSpec(NamedTuple):
  """The shapes, types and bounds of an environment (nests of `dm_env.specs.Array`)."""

  observations: Any
  actions: Any
  rewards: Any
  discounts: Any


def environment_spec(environment: dm_env.Environment) -> EnvironmentSpec:
  """The specs of an environment, in one value."""
  return EnvironmentSpec(
    observations=environment.observation_spec(),
    actions=environment.action_spec(),
    rewards=environment.reward_spec(),
    discounts=environment.discount_spec(),
  )


def step_spec(spec: EnvironmentSpec, extras: core.Nest = ()) -> core.Step:
  """The spec of one row of the stream that a policy with these extras makes in an environment of this spec."""
  flag = dm_specs.Array((), np.bool_)
  return core.Step(
    observation=spec.observations,
    action=spec.actions,
    reward=dm_specs.Array(spec.rewards.shape, np.float32, 'reward'),
    discount=dm_specs.Array(spec.discounts.shape, np.float32, 'discount'),
    first=flag,
    last=flag,
    extras=extras,
  )


def is_discrete(spec: Any) -> bool:
  """Whether an action spec is a single choice among n actions."""
  return isinstance(spec, dm_specs.DiscreteArray)
