"""Recorded values beside the bounds of an environment, with an allowance for how they were rounded."""

from __future__ import annotations

from typing import Any, NamedTuple, Tuple

import numpy as np
from dm_env import specs as dm_specs

_ALLOWANCE = 1e-4  # of the width of bounds: so far rounding, and scaling in single precision, may put a value beyond


def beyond(spec: dm_specs.BoundedArray, least: Any, largest: Any, share: float = 1.0) -> Tuple[bool, bool]:
  """Whether values go below the bounds of a spec, and whether they go above, number by number.

  Whole numbers are not rounded, and where only one side is bounded, there is no width to allow a part of: those values
  have to lie within the bounds themselves.

  Args:
    spec: with bounds, of which some may be infinite.
    least: the least value of each number, [*shape].
    largest: the largest.
    share: of the width of finite bounds, around their middle, that counts as within.
  """
  low, high = (np.asarray(bound, np.float64) for bound in (spec.minimum, spec.maximum))
  allowed = _ALLOWANCE if spec.dtype.kind == 'f' else 0.0
  with np.errstate(invalid='ignore', over='ignore'):  # of bounds that are infinite
    slack = np.nan_to_num((allowed - (1 - share) / 2) * (high - low), nan=0.0, posinf=0.0, neginf=0.0)
  return bool((least < low - slack).any()), bool((largest > high + slack).any())


def is_scale(spec: dm_specs.Array) -> bool:
  """Whether a spec is of real numbers between finite bounds, beyond which they are of another scale."""
  bounded = isinstance(spec, dm_specs.BoundedArray) and spec.dtype.kind == 'f'
  return bounded and bool(np.isfinite(spec.minimum).all() and np.isfinite(spec.maximum).all())


def surely_within(spec: dm_specs.BoundedArray, values: np.ndarray) -> bool:
  """Whether all numbers [T, *shape] lie within each bound of a spec; quick, and also false where only some do not."""
  return bool(np.max(spec.minimum) <= values.min() and values.max() <= np.min(spec.maximum))


def reach(values: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
  """The least and the largest [*shape] of numbers [T, *shape]."""
  columns = np.ascontiguousarray(values.reshape(len(values), -1).T)  # Of rows of few numbers it takes ten times longer.
  return columns.min(axis=1).reshape(values.shape[1:]), columns.max(axis=1).reshape(values.shape[1:])


class Stray(NamedTuple):
  """The number of a field that lies farthest beyond its bounds.

  Attributes:
    name: which one, in words behind the name of the field; nothing if there is but one.
    least, largest: its values.
    low, high: its bounds.
  """

  name: str
  least: float
  largest: float
  low: float
  high: float

  def value(self) -> float:
    """The value that is farthest beyond."""
    return self.least if self.low - self.least > self.largest - self.high else self.largest


def farthest(spec: dm_specs.BoundedArray, least: Any, largest: Any) -> Stray:
  """Which number of a field goes farthest beyond its bounds; see `beyond`."""
  arrays = np.broadcast_arrays(*(np.asarray(one, np.float64) for one in (least, largest, spec.minimum, spec.maximum)))
  excess = np.maximum(arrays[2] - arrays[0], arrays[1] - arrays[3])
  index = np.unravel_index(int(np.argmax(excess)), excess.shape)
  name = f' [{", ".join(map(str, index))}]' if index else ''
  return Stray(name, *(float(one[index]) for one in arrays))


def other_scale(stray: Stray, name: str, place: str = '') -> str:
  """What is wrong with actions that go beyond their bounds, in a sentence.

  Args:
    stray: the number that does most.
    name: what they are of: 'the data set DIR'.
    place: where that is, if it is known.
  """
  return (
    f'The actions{stray.name} of {name} reach from {stray.least:g} to {stray.largest:g}'
    f'{f" (in {place})" if place else ""}, and those of the environment from {stray.low:g} to {stray.high:g}: they '
    'were recorded on another scale; bring them onto this one, or give an environment with the wrappers that they were '
    'recorded within.'
  )
