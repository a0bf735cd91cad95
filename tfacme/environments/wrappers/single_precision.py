"""Single precision in place of double."""

from __future__ import annotations

from typing import Any, Callable, Optional

import dm_env
import numpy as np
import tree
from dm_env import specs

from tfacme import errors
from tfacme.environments import leaves
from tfacme.environments.wrappers import base
from tfacme.specs import is_choice, single_dtype


class SinglePrecision(base.EnvironmentWrapper):
  """Turns float64 into float32 and int64 into int32, in the specs and in all that passes.

  An int64 without bounds, or with some beyond the range of int32, stays as it is: in 32 bits it may be another number.
  The wrapped environment gets actions in the precision of its own action spec. Arrays that are in single precision are
  not touched; scalars always become numpy scalars, because a Python float is a double whatever the spec says of it.
  """

  def __init__(self, environment: dm_env.Environment):
    """Wraps `environment`. Its specs are read once, here."""
    super().__init__(environment)
    self._observation_spec = tree.map_structure(_single, environment.observation_spec())
    self._action_spec = tree.map_structure(_single_action, environment.action_spec())
    self._reward_spec = tree.map_structure(_single, environment.reward_spec())
    self._discount_spec = tree.map_structure(_single, environment.discount_spec())
    self._observation = _converter(environment.observation_spec())
    self._reward = _converter(environment.reward_spec())
    self._discount = _converter(environment.discount_spec())
    self._action = leaves.apply_each(tree.map_structure(_widen, environment.action_spec()))

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode."""
    return self._convert(self._environment.reset())

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step, or starts an episode if none is going on."""
    if self._action is not None:
      action = self._action(action)
    return self._convert(self._environment.step(action))

  def outer_action(self, action: Any) -> Any:
    """See `EnvironmentWrapper`."""
    return tree.map_structure(lambda spec, value: np.asarray(value, spec.dtype), self._action_spec, action)

  def observation_spec(self) -> Any:
    """Describes observations: the wrapped environment's, in single precision."""
    return self._observation_spec

  def action_spec(self) -> Any:
    """Describes actions: the wrapped environment's, in single precision, with bounds that lie within its bounds."""
    return self._action_spec

  def reward_spec(self) -> Any:
    """Describes rewards: the wrapped environment's, in single precision."""
    return self._reward_spec

  def discount_spec(self) -> Any:
    """Describes discounts: the wrapped environment's, in single precision."""
    return self._discount_spec

  def _convert(self, timestep: dm_env.TimeStep) -> dm_env.TimeStep:
    try:
      step_type, reward, discount, observation = timestep
    except TypeError as error:
      raise errors.UserError(
        f'The environment returned {timestep!r:.100} from reset() or step(), and has to return a dm_env.TimeStep.'
      ) from error
    if self._observation is not None:
      observation = self._observation(observation)
    if reward is not None and self._reward is not None:
      reward = self._reward(reward)
    if discount is not None and self._discount is not None:
      discount = self._discount(discount)
    return dm_env.TimeStep(step_type, reward, discount, observation)


def is_single_precision(environment: dm_env.Environment) -> bool:
  """Whether every spec of `environment` is in single precision already, or can't be."""
  nest = (
    environment.observation_spec(),
    environment.action_spec(),
    environment.reward_spec(),
    environment.discount_spec(),
  )
  return all(single_dtype(spec) == spec.dtype for spec in tree.flatten(nest))


def _converter(nest: Any) -> Optional[Callable[[Any], Any]]:
  return leaves.apply_each(tree.map_structure(_narrow, nest))


def _narrow(spec: specs.Array) -> Optional[Callable[[Any], Any]]:
  """The function that puts a value of `spec` into single precision, or None if there is nothing to do."""
  dtype = single_dtype(spec)
  if not spec.shape and dtype.kind in 'biuf':
    return dtype.type
  return (lambda value: np.asarray(value, dtype)) if spec.dtype != dtype else None


def _widen(spec: specs.Array) -> Optional[Callable[[Any], Any]]:
  """The function that gives an action of a single precision spec the precision of `spec`, or None."""
  if single_dtype(spec) == spec.dtype:
    return None
  dtype = spec.dtype
  return (lambda value: np.asarray(value, dtype)) if spec.shape else dtype.type


def _single(spec: specs.Array) -> specs.Array:
  """The spec in single precision. Rounding keeps order, so that values within the bounds stay within the new ones."""
  dtype = single_dtype(spec)
  if spec.dtype == dtype:
    return spec
  if isinstance(spec, specs.BoundedArray) and not is_choice(spec):
    return spec.replace(dtype=dtype, minimum=_round(spec.minimum, dtype), maximum=_round(spec.maximum, dtype))
  return spec.replace(dtype=dtype)


def _single_action(spec: specs.Array) -> specs.Array:
  """The spec in single precision, its bounds rounded inwards: the environment takes an action at a bound."""
  single = _single(spec)
  if single is spec or single.dtype.kind != 'f' or not isinstance(spec, specs.BoundedArray):
    return single
  low, high = single.minimum, single.maximum
  minimum = np.where(low.astype(np.float64) < spec.minimum, np.nextafter(low, np.float32(np.inf)), low)
  maximum = np.where(high.astype(np.float64) > spec.maximum, np.nextafter(high, np.float32(-np.inf)), high)
  # Bounds that are closer together than float32 resolves have no value between them.
  return single.replace(minimum=np.minimum(minimum, maximum), maximum=maximum)


def _round(bound: np.ndarray, dtype: np.dtype) -> np.ndarray:
  """Puts a bound into `dtype`; beyond the range of floats is infinite."""
  with np.errstate(over='ignore'):
    return bound.astype(dtype)
