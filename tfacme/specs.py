"""What environments and streams look like."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Optional

import dm_env
import numpy as np
import tree
from dm_env import specs as dm_specs

from tfacme import errors

# The types of environments' values: single precision in place of double.
SINGLE = {np.dtype(np.float64): np.dtype(np.float32), np.dtype(np.int64): np.dtype(np.int32)}


class EnvironmentSpec(NamedTuple):
  """The shapes, types and bounds of an environment (nests of `dm_env.specs.Array`)."""

  observations: Any
  actions: Any
  rewards: Any
  discounts: Any


class MultiDiscreteArray(dm_specs.BoundedArray):
  """Several choices at once, each among so many of its own.

  Attributes:
    num_values: how many values each of them has, int64 of the spec's shape.
  """

  def __init__(self, num_values: Any, dtype: Any = np.int32, name: Optional[str] = None):
    self._num_values = np.array(num_values, np.int64)
    if not self._num_values.size or self._num_values.min() < 1:
      raise errors.UserError(f'A choice has at least one value, and num_values is {self._num_values.tolist()}.')
    super().__init__(self._num_values.shape, dtype, np.zeros_like(self._num_values), self._num_values - 1, name)

  @property
  def num_values(self) -> np.ndarray:
    return self._num_values

  def __reduce__(self):
    return MultiDiscreteArray, (self._num_values, self._dtype, self._name)


def environment_spec(environment: dm_env.Environment) -> EnvironmentSpec:
  """The specs of an environment, in one value."""
  return EnvironmentSpec(
    observations=environment.observation_spec(),
    actions=environment.action_spec(),
    rewards=environment.reward_spec(),
    discounts=environment.discount_spec(),
  )


def paths(nest: Any) -> Dict[str, Any]:
  """The leaves of a nest by their paths, the same whether a level is a dict, a named tuple or a tuple."""
  return {'/'.join(map(str, path)): leaf for path, leaf in tree.flatten_with_path(nest)}


def describe(action_spec: Any) -> str:
  """An action spec in words, for an agent that can't act in it."""
  if isinstance(action_spec, dm_specs.DiscreteArray):
    return f'a discrete action with {action_spec.num_values} values'
  if isinstance(action_spec, MultiDiscreteArray):
    return f'{action_spec.num_values.size} discrete actions at once, with {action_spec.num_values.tolist()} values'
  if isinstance(action_spec, dm_specs.Array):
    return f'actions of shape {action_spec.shape} and type {action_spec.dtype}'
  return f'a nest of {len(tree.flatten(action_spec))} actions'


def is_continuous(spec: Any) -> bool:
  """Whether an action spec is a single vector of real numbers with at least one part."""
  return isinstance(spec, dm_specs.Array) and spec.dtype.kind == 'f' and len(spec.shape) == 1 and spec.shape[0] > 0


def check_bounded_vector(agent: str, spec: Any) -> None:
  """Raises a `UserError` unless an action spec is a vector of real numbers between finite bounds."""
  if not is_continuous(spec):
    raise errors.UserError(f'{agent} needs a vector of continuous actions, and this environment has {describe(spec)}.')
  if not isinstance(spec, dm_specs.BoundedArray):
    raise errors.UserError(f'{agent} needs actions with bounds, and this environment gives none for {describe(spec)}.')
  low, high = np.broadcast_to(spec.minimum, spec.shape), np.broadcast_to(spec.maximum, spec.shape)
  with np.errstate(over='ignore', invalid='ignore'):
    width = np.subtract(high, low, dtype=np.float32, casting='unsafe')
  if not (np.isfinite(width).all() and (width > 0).all()):
    raise errors.UserError(
      f'{agent} needs actions with finite bounds, the lower below the upper, and this environment has {low.tolist()} '
      f'to {high.tolist()}.'
    )


def check_discrete(agent: str, spec: Any) -> None:
  """Raises a `UserError` unless an action spec is a single choice among n actions."""
  if not is_discrete(spec):
    raise errors.UserError(f'{agent} needs a single discrete action, and this environment has {describe(spec)}.')


def check_scalar_reward(agent: str, spec: Any) -> None:
  """Raises a `UserError` unless a reward spec is of a single number."""
  if tuple(spec.shape):
    raise errors.UserError(
      f'{agent} learns from a single reward, and this environment gives rewards of shape {tuple(spec.shape)}; wrap it '
      'so that it gives their weighted sum.'
    )


def is_multi_discrete(spec: Any) -> bool:
  """Whether an action spec is of several choices at once."""
  return isinstance(spec, MultiDiscreteArray)


def is_discrete(spec: Any) -> bool:
  """Whether an action spec is a single choice among n actions."""
  return isinstance(spec, dm_specs.DiscreteArray)
