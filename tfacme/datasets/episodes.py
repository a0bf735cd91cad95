"""Whole episodes: what a data set is, and what is looked at in each of its episodes."""

from __future__ import annotations

from typing import Any, Iterator, Optional, Protocol, Sequence

import numpy as np
import tree
from dm_env import specs as dm_specs

from tfacme import core, errors, specs
from tfacme.datasets import bounds, illegal, ranges


class Dataset(Protocol):
  """Recorded episodes.

  An episode of T transitions is a `core.Step` with leaves [T + 1, ...]: its last row holds the final observation, with
  zeros for the action, the reward and the discount. A truncated episode differs from a terminated one in the discount
  of row T - 1, and in nothing else.

  It may have a method `lengths(seed)`, which tells the T of all episodes of a pass without reading them.
  """

  def episodes(self, seed: int = 0) -> Iterator[core.Step]:
    """One pass over all episodes, in an order that is a function of the seed."""
    ...

  def spec(self) -> core.Step:
    """The spec of one row: a `core.Step` of `dm_env.specs.Array`, without bounds."""
    ...

  def check(self) -> Optional[ranges.Ranges]:
    """Raises a `UserError` that names what is wrong with the data set, if anything is.

    It may return the ranges of all values, where it has looked at them.
    """
    ...


def episode(rows: Sequence[core.Step]) -> core.Step:
  """The rows of one episode, stacked: leaves [T + 1, ...]."""
  return tree.map_structure(lambda *leaves: np.stack(leaves), *rows)


def return_of(reward: np.ndarray) -> float:
  """The return of an episode with rewards [T + 1, ...]: their sum, in double precision, without the last row."""
  return float(np.sum(reward[:-1], dtype=np.float64))


def check_last(last: Any) -> int:
  """The number of rows of an episode with these marks of its last row, bool [T + 1].

  Raises:
    UserError: unless they are those of one whole episode with at least one transition.
  """
  last = np.atleast_1d(last)
  rows = len(last)
  if rows < 2:
    raise errors.UserError('An episode has at least two rows: a transition and the final observation.')
  if np.flatnonzero(last).tolist() != [rows - 1]:
    raise errors.UserError('The last row of an episode, and no other, has to be marked as last.')
  return rows


def check_values(step: core.Step, action_spec: Any, where: str) -> None:
  """Raises a `UserError` if an episode holds what can't be learned from.

  Args:
    step: leaves [T + 1, ...].
    action_spec: of the environment, whose discrete actions have to be among its own, and legal where the observations
      have an `action_mask`, and others within its bounds, as far as rounding allows; None if it is not known.
    where: what it is called, such as 'episode 3 of the data set'.
  """
  learned = step._replace(first=(), last=(), extras=())
  if not all(map(ranges.surely_finite, tree.flatten(learned))):  # Paths take longer than the numbers.
    for path, leaf in specs.paths(learned).items():
      check_finite(path, leaf, where)
  discounts = np.asarray(step.discount)
  if not ((0 <= discounts) & (discounts <= 1)).all():
    raise errors.UserError(
      f'In {where} there are discounts from {discounts.min():g} to {discounts.max():g}, and they have to lie between 0 '
      'and 1.'
    )
  for spec, values in [] if action_spec is None else zip(tree.flatten(action_spec), tree.flatten(step.action)):
    count = getattr(spec, 'num_values', None)
    if count is not None and not ((0 <= values) & (values < count)).all():
      raise errors.UserError(
        f'In {where} there are actions from {values.min()} to {values.max()}, and the environment has those from 0 to '
        f'{np.max(count) - 1}: it was recorded in another environment.'
      )
    if count is None and bounds.is_scale(spec):
      _check_scale(spec, values[:-1], where)
  if action_spec is not None:
    _check_legal(step, action_spec, where)


def check_whole_numbers(step: core.Step, spec: core.Step, where: str) -> None:
  """Raises a `UserError` if whole numbers of an episode would become others in the smaller type that a spec has."""
  for i, (leaf, wanted) in enumerate(zip(tree.flatten(step), tree.flatten(spec))):
    if not holds(wanted.dtype, leaf):
      name = list(specs.paths(spec))[i]
      raise errors.UserError(
        f'In {where} {name} has numbers from {leaf.min()} to {leaf.max()}, and the environment has '
        f'{wanted.dtype.name}: it was recorded in another environment.'
      )


def _check_legal(step: core.Step, action_spec: Any, where: str) -> None:
  """Raises a `UserError` if an action of an episode is illegal by the mask of its own observation, if it has one."""
  mask = specs.action_mask(step.observation)
  leaves = () if mask is None else zip(specs.paths(action_spec).items(), tree.flatten(step.action), tree.flatten(mask))
  for (path, spec), actions, legal in leaves:
    one = illegal.first(legal[:-1], actions[:-1], np.ravel(spec.num_values)) if specs.is_choice(spec) else None
    if one is not None:
      raise errors.UserError(one.told(path, f'row {one.row} of {where}'))


def _check_scale(spec: dm_specs.BoundedArray, values: np.ndarray, where: str) -> None:
  """Raises a `UserError` if actions [T, ...] lie beyond their bounds by more than rounding."""
  if not values.size or bounds.surely_within(spec, values):
    return
  least, largest = bounds.reach(values)
  if any(bounds.beyond(spec, least, largest)):
    stray = bounds.farthest(spec, least, largest)
    outside = (values < spec.minimum) | (values > spec.maximum)
    row = np.argwhere(outside & (values == stray.value()))[0][0]
    raise errors.UserError(bounds.other_scale(stray, where, f'row {row}'))


def check_finite(name: str, values: np.ndarray, where: str) -> None:
  """Raises a `UserError` if there is a NaN or an infinity in a column [T, ...] of an episode."""
  at = ranges.strange_at(values)
  if at is not None:
    raise errors.UserError(
      f'In row {at[0]} of {where}, {name} is {values[at]}, and nothing can be learned from that: leave the episode '
      'out, or record it anew.'
    )


def single(dtype: Any) -> np.dtype:
  """A type in the precision in which environments give their values: float64 is float32 here, int64 is int32."""
  return specs.SINGLE.get(np.dtype(dtype), np.dtype(dtype))


def in_single(values: Any) -> np.ndarray:
  """Values in single precision; whole numbers stay as they are where 32 bits do not hold all of them."""
  values = np.asarray(values)
  dtype = single(values.dtype)
  return values.astype(dtype, copy=False) if holds(dtype, values) else values


def holds(dtype: np.dtype, values: np.ndarray) -> bool:
  """Whether all of some values are among those of a type, if both are whole numbers."""
  if dtype.kind not in 'iu' or values.dtype.kind not in 'iu' or np.can_cast(values.dtype, dtype):
    return True
  limits = np.iinfo(dtype)
  return not values.size or bool(limits.min <= values.min() and values.max() <= limits.max)


def alike(shape: Sequence[int], other: Sequence[int]) -> bool:
  """Whether two shapes differ in nothing but sides of one, such as an axis for a batch."""
  return [side for side in shape if side != 1] == [side for side in other if side != 1]


def row_spec(step: core.Step) -> core.Step:
  """The spec of one row of an episode with leaves [T + 1, ...]."""
  return tree.map_structure(lambda leaf: dm_specs.Array(leaf.shape[1:], leaf.dtype), step)
