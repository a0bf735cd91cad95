"""What an environment returns, checked against its spec.

An assignment to an array broadcasts and converts silently: an observation of shape (1,) fills three places, and 0.7
becomes 0 among integers. So all that an environment returns to actors and evaluations passes through here. Each step is
checked, which costs under a microsecond; bounds are checked where an episode begins.
"""

from __future__ import annotations

import math
from collections import abc
from typing import Any, Callable, List, Sequence, Tuple

import dm_env
import numpy as np
import tree
from dm_env import specs as dm_specs

from tfacme import core, errors, specs

_SINGLE = float(np.finfo(np.float32).max)  # Rows hold rewards in single precision.
_NUMBERS = frozenset({float, int, bool, np.bool_, np.float32, np.float64, np.int32, np.int64})


class Intake:
  """Takes the time steps of N environments, and writes their observations into arrays [N, ...].

  All methods raise a `UserError`, which says where it was, for what does not fit the environment's spec, and a
  `NonFiniteError` for a reward or a discount that is not finite.
  """

  def __init__(self, spec: specs.EnvironmentSpec, leaves: Sequence[np.ndarray], where: Callable[[int], str]):
    """Initializes the intake.

    Args:
      spec: of the environments.
      leaves: where the observations go, each [N, ...] of the type of its spec, in the order of the flattened spec.
      where: says of an environment, by its number, at which step of what it is, for errors.
    """
    self._leaves = list(leaves)
    self._where = where
    self._flatten = _flattener(spec.observations, 'observation')
    self._parts = [_Part(path, part) for path, part in tree.flatten_with_path(spec.observations)]
    self._shape, self._dtype = None, None  # of an observation that is a single array
    if isinstance(spec.observations, dm_specs.Array):
      self._shape, self._dtype = self._parts[0].shape, self._parts[0].dtype
    self._choices: Sequence[Tuple[int, Sequence[int]]] = ()  # (place, number of values of each) in a mask of actions
    if specs.action_mask(spec.observations) is not None:
      flat = enumerate(tree.flatten(spec.actions))
      self._choices = [(i, np.ravel(leaf.num_values).tolist()) for i, leaf in flat if specs.is_choice(leaf)]
    self._reward = _Number('reward', spec.rewards, -_SINGLE, _SINGLE)
    self._discount = _Number('discount', spec.discounts, 0.0, 1.0)

  def begin(self, slot: int, observation: core.Nest) -> None:
    """Writes the first observation of an episode, whose bounds are checked too."""
    self.check_bounds(slot, observation)
    self.observe(slot, observation)

  def check_bounds(self, slot: int, observation: core.Nest) -> None:
    """Checks an observation, and that all its numbers are within the bounds of the spec."""
    try:
      for part, value in zip(self._parts, self._flatten(observation), strict=True):
        part.check_bounds(part.check(value))
    except _WrongError as error:
      raise self._told(error, slot, 'observation') from error

  def observe(self, slot: int, observation: core.Nest, last: bool = False) -> None:
    """Writes an observation; where an episode goes on after it, its mask has to leave an action."""
    if observation.__class__ is np.ndarray and observation.dtype is self._dtype and observation.shape == self._shape:
      self._leaves[0][slot] = observation
      return
    try:
      for leaf, part, value in zip(self._leaves, self._parts, self._flatten(observation), strict=True):
        leaf[slot] = part.check(value)
      if self._choices and not last:
        _check_legal(self._choices, specs.action_mask(observation))
    except _WrongError as error:
      raise self._told(error, slot, 'observation') from error

  def check_reward(self, slot: int, timestep: dm_env.TimeStep) -> None:
    """Checks the reward and the discount of a step."""
    for number, value in ((self._reward, timestep.reward), (self._discount, timestep.discount)):
      try:
        # So it nearly always is. (numpy takes a microsecond to compare one of its scalars with a number.)
        if value.__class__ in number.classes and number.low <= float(value) <= number.high:
          continue
        number.check_kind(value)
        if not finite(value):
          raise not_finite(f'{self._where(slot)}: the {number.name} is {value}')
        number.check_range(value)
      except _WrongError as error:
        raise self._told(error, slot, number.name) from error
      except OverflowError:  # of a whole number that is larger than any real one
        raise self._told(_WrongError(f'the {number.name} is beyond all real numbers'), slot, number.name) from None

  def _told(self, error: _WrongError, slot: int, what: str) -> errors.UserError:
    """The error with where it was and what to do."""
    return errors.UserError(
      f'{self._where(slot)}: the environment violates its own {what}_spec: {error}; fix one or the other.'
    )


class _WrongError(Exception):
  """What is not as a spec says, as a sentence."""


class _Part:
  """One array of an observation."""

  def __init__(self, path: Sequence[Any], spec: dm_specs.Array):
    self.name = '/'.join(['the observation', *map(str, path)])
    self.shape = tuple(spec.shape)
    self.dtype = np.dtype(spec.dtype)
    self._bounds = _bounds(spec)
    # For all of its numbers, if it has any.
    self._alike = self._bounds is not None and not any(map(np.ndim, self._bounds)) and 0 not in self.shape

  def check(self, value: Any) -> np.ndarray:
    """The value as an array, of the spec's shape and of a type all of whose values the spec's type has."""
    array = np.asarray(value)
    if array.dtype is not self.dtype and not np.can_cast(array.dtype, self.dtype, 'safe'):
      raise _WrongError(f'{self.name} is of type {array.dtype}, and the spec says {self.dtype}')
    if array.shape != self.shape:
      raise _WrongError(f'{self.name} has the shape {array.shape}, and the spec says {self.shape}')
    return array

  def check_bounds(self, array: np.ndarray) -> None:
    """Checks that all numbers are within the bounds of the spec."""
    if self._bounds is None:
      return
    low, high = self._bounds
    if self._alike and low <= np.minimum.reduce(array, axis=None) and np.maximum.reduce(array, axis=None) <= high:
      return  # Two looks in the place of four.
    outside = (array < low) | (array > high)
    if outside.any():
      low, high = (np.broadcast_to(bound, self.shape)[outside].flat[0] for bound in (low, high))
      raise _WrongError(f'{self.name} has {array[outside].flat[0]}, and the spec says {low} to {high}')


class _Number:
  """A reward or a discount."""

  def __init__(self, name: str, spec: dm_specs.Array, low: float, high: float):
    self.name = name
    self.low, self.high = low, high
    self._shape = tuple(spec.shape)
    self.classes = _NUMBERS if not self._shape else frozenset()  # of what needs no closer look

  def check_kind(self, value: Any) -> None:
    """Checks the shape, and that it is a number at all."""
    if np.asarray(value).dtype.kind not in 'biuf':
      raise _WrongError(f'the {self.name} is {value!r}, and the spec says a number')
    if np.shape(value) != self._shape:
      raise _WrongError(f'the {self.name} has the shape {np.shape(value)}, and the spec says {self._shape}')

  def check_range(self, value: Any) -> None:
    """Checks that all of its numbers are in its range."""
    if not np.all((self.low <= np.asarray(value)) & (np.asarray(value) <= self.high)):
      raise _WrongError(f'the {self.name} is {value}, and has to lie between {self.low:g} and {self.high:g}')


def not_finite(what: str) -> errors.NonFiniteError:
  """The error for what an environment gave that is no finite number."""
  return errors.NonFiniteError(
    f'{what}, which the environment gave: look at its simulation, at the bounds of the actions it is given, and at its '
    'rewards.'
  )


def finite(values: np.ndarray) -> bool:
  """Whether all numbers are finite."""
  # A sum is finite only if all parts are, and costs half of a look at each; it may also be too large, so look then.
  return math.isfinite(np.add.reduce(values, axis=None)) or bool(np.isfinite(values).all())


def _bounds(spec: dm_specs.Array) -> Any:
  """The bounds of a spec; None if it has none, or no number of its type is beyond them."""
  if not isinstance(spec, dm_specs.BoundedArray):
    return None
  dtype = np.dtype(spec.dtype)
  low, high = np.asarray(spec.minimum), np.asarray(spec.maximum)
  if dtype.kind == 'f':
    bounded = np.isfinite(low).any() or np.isfinite(high).any()
  elif dtype.kind in 'iu':
    bounded = (low > np.iinfo(dtype).min).any() or (high < np.iinfo(dtype).max).any()
  else:
    bounded = False
  if not bounded:
    return None
  alike = low.size and high.size and (low == low.flat[0]).all() and (high == high.flat[0]).all()
  return (low.flat[0], high.flat[0]) if alike else (low, high)


def _flattener(spec: core.Nest, name: str) -> Callable[[core.Nest], List[Any]]:
  """A function that lists the leaves of a nest in the order of the flattened spec; it says what the nest lacks.

  `tree.flatten` would do for the order, but takes any dict that has as many keys, and a check of that costs more.
  """
  if isinstance(spec, dm_specs.Array):
    return lambda value: [value]
  if isinstance(spec, abc.Mapping):
    return _mapping_flattener(spec, name)
  if not isinstance(spec, (tuple, list)):
    raise errors.UserError(f'The {name} is a {type(spec).__name__} in the spec; make nests of dicts, tuples and lists.')
  parts = [_flattener(part, f'{name}/{i}') for i, part in enumerate(spec)]

  def flatten(values: Any) -> List[Any]:
    if not isinstance(values, (tuple, list)) or len(values) != len(parts):
      raise _WrongError(f'the {name} is {_kind(values)}, and the spec says {_kind(spec)}')
    return [leaf for part, value in zip(parts, values) for leaf in part(value)]

  return flatten


def _mapping_flattener(spec: abc.Mapping, name: str) -> Callable[[core.Nest], List[Any]]:
  parts = [(key, _flattener(spec[key], f'{name}/{key}')) for key in sorted(spec)]

  def flatten(values: Any) -> List[Any]:
    if not isinstance(values, abc.Mapping):
      raise _WrongError(f'the {name} is {_kind(values)}, and the spec says {_kind(spec)}')
    if values.keys() != spec.keys():
      missing, surplus = sorted(spec.keys() - values.keys(), key=str), sorted(values.keys() - spec.keys(), key=str)
      raise _WrongError(f'the {name} lacks {missing or "nothing"} and has {surplus or "nothing"} beside what it says')
    return [leaf for key, part in parts for leaf in part(values[key])]

  return flatten


def _kind(value: Any) -> str:
  if isinstance(value, abc.Mapping):
    return f'a dict of {sorted(map(str, value))}'
  if isinstance(value, (tuple, list)):
    return f'a {type(value).__name__} of {len(value)}'
  return f'of type {type(value).__name__}'


def _check_legal(choices: Sequence[Tuple[int, Sequence[int]]], mask: core.Nest) -> None:
  """Raises a `_WrongError` if a mask of legal actions leaves a choice without any."""
  masks = tree.flatten(mask)
  for place, sizes in choices:
    start, flat = 0, np.asarray(masks[place], np.bool_)
    for size in sizes:
      if not flat[start : start + size].any():
        raise _WrongError('its action_mask leaves no legal action, and the episode goes on')
      start += size
