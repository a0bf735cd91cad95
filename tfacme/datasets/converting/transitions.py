"""Episodes of transitions that lie in arrays one after the other."""

from __future__ import annotations

import logging
import math
from typing import Any, Iterator, NamedTuple, Optional

import numpy as np
import tree

from tfacme import core, errors
from tfacme.datasets import episodes as episodes_lib

_LOG = logging.getLogger('tfacme')
_BLOCK = 1 << 20  # numbers that are compared at once


class Columns(NamedTuple):
  """N transitions; the leaves are arrays, or are read where they are sliced."""

  observations: Any  # [N, ...]
  actions: Any  # [N, ...]
  rewards: Any  # [N], or [N, 1]
  terminals: Any  # [N]
  timeouts: Optional[Any] = None  # [N]
  next_observations: Optional[Any] = None  # [N, ...]


class _Ends(NamedTuple):
  """Where episodes end."""

  rows: np.ndarray  # int64 [episodes], the last transition of each
  terminal: np.ndarray  # bool [episodes]


def episodes(columns: Columns, name: str, max_episode_steps: Optional[int] = None) -> Iterator[core.Step]:
  """The episodes, with leaves [T + 1, ...] in single precision.

  An episode ends where it was terminated, and where it was truncated: at a timeout; where the next observation is not
  the observation of the next transition; at so many steps, if neither is there.

  Of a truncated episode whose final observation is not there, the last transition is left out: it leads to nothing that
  one could bootstrap from. What a terminal state looks like means nothing; where it is missing, the one before stands
  in its place.

  Args:
    columns: the transitions.
    name: what they are called, for errors.
    max_episode_steps: at which episodes were truncated, if nothing else says so.

  Raises:
    UserError: if nothing says where episodes were truncated.
  """
  return _cut(columns, _ends(columns, name, max_episode_steps), name)


def _cut(columns: Columns, ends: _Ends, name: str) -> Iterator[core.Step]:
  start = lost = 0
  for end, terminal in zip(ends.rows.tolist(), ends.terminal.tolist()):
    steps = end + 1 - start
    if columns.next_observations is None and not terminal:
      steps -= 1
    if steps:
      yield _episode(columns, start, end, steps, terminal)
    else:
      lost += 1
    start = end + 1
  if lost:
    _LOG.warning('Episodes of %s of a single step, which lead to no observation, are left out: %d.', name, lost)


def _episode(columns: Columns, start: int, end: int, steps: int, terminal: bool) -> core.Step:
  """The episode of the transitions from `start` to `end`, of which the first `steps` are kept."""

  def observations(leaf: Any, following: Any) -> np.ndarray:
    values = np.asarray(leaf[start : end + 1])
    if following is not None:
      values = np.concatenate([values, np.asarray(following[end : end + 1])])
    elif terminal:
      values = np.concatenate([values, values[-1:]])
    return _single(values)

  def padded(leaf: Any) -> np.ndarray:
    values = np.asarray(leaf[start : start + steps])
    return _single(np.concatenate([values, np.zeros_like(values[:1])]))

  following = columns.next_observations
  if following is None:
    following = tree.map_structure(lambda _: None, columns.observations)
  discount = np.ones(steps + 1, np.float32)
  discount[steps - int(terminal) :] = 0
  return core.Step(
    observation=tree.map_structure(observations, columns.observations, following),
    action=tree.map_structure(padded, columns.actions),
    reward=_flat(padded(columns.rewards)).astype(np.float32),
    discount=discount,
    first=np.arange(steps + 1) == 0,
    last=np.arange(steps + 1) == steps,
  )


def _ends(columns: Columns, name: str, max_episode_steps: Optional[int]) -> _Ends:
  """Where episodes end; the last one does with the arrays."""
  terminals = _flags(columns.terminals)
  if not len(terminals):
    raise errors.UserError(f'{name} has no transitions.')
  truncated = _truncated(columns, terminals, name, max_episode_steps)
  over = terminals | truncated
  over[-1] = True
  rows = np.flatnonzero(over)
  return _Ends(rows, terminals[rows])


def _truncated(columns: Columns, terminals: np.ndarray, name: str, max_episode_steps: Optional[int]) -> np.ndarray:
  """Whether an episode was truncated after each transition, bool [N]."""
  if max_episode_steps is not None:
    return _at_steps(terminals, max_episode_steps)
  timeouts = None if columns.timeouts is None else _flags(columns.timeouts)
  if columns.next_observations is None:
    if timeouts is None:
      raise errors.UserError(
        f'{name} has neither timeouts nor next_observations, which say where episodes were truncated: say after how '
        'many steps they were (--max-episode-steps N; a number that none reaches, if none was).'
      )
    return timeouts
  breaks = _breaks(columns)
  if timeouts is None:
    return breaks
  # Some files mark the transition beside that after which the environment was reset. Where nothing breaks off near a
  # timeout, the environment was not reset, but who recorded counted on.
  beside = timeouts & ~breaks & (_shifted(breaks, 1) | _shifted(breaks, -1))
  if beside.any():
    _LOG.warning(
      'Timeouts of %s that lie a step beside the end of their episode, which next_observations show: %d.',
      name,
      int(beside.sum()),
    )
  return breaks | (timeouts & ~beside)


def _at_steps(terminals: np.ndarray, most: int) -> np.ndarray:
  """True after each `most` steps of an episode, bool [N]."""
  truncated = np.zeros(len(terminals), bool)
  start = 0
  for end in [*np.flatnonzero(terminals).tolist(), len(terminals) - 1]:
    truncated[start + most - 1 : end + 1 : most] = True
    start = end + 1
  return truncated & ~terminals


def _breaks(columns: Columns) -> np.ndarray:
  """Whether a transition leads elsewhere than where the one after it begins, bool [N]."""
  breaks = np.zeros(len(columns.rewards), bool)
  pairs = zip(tree.flatten(columns.observations), tree.flatten(columns.next_observations))
  for observations, following in pairs:
    rows = max(1, _BLOCK // max(1, math.prod(observations.shape[1:])))
    for start in range(0, len(breaks) - 1, rows):
      end = min(start + rows, len(breaks) - 1)
      left, right = np.asarray(following[start:end]), np.asarray(observations[start + 1 : end + 1])
      # Not to the last bit: some files hold one of the two in another precision.
      same = np.isclose(left, right, rtol=1e-5, atol=1e-6, equal_nan=True)
      breaks[start:end] |= ~same.reshape(end - start, -1).all(axis=1)
  breaks[-1] = True
  return breaks


def _shifted(flags: np.ndarray, by: int) -> np.ndarray:
  """Flags of the neighbours."""
  shifted = np.roll(flags, by)
  shifted[0 if by > 0 else -1] = False
  return shifted


def _flags(column: Any) -> np.ndarray:
  """A column as bool [N]; some files hold real numbers, or [N, 1]."""
  return _flat(np.asarray(column[:])) > 0


def _flat(values: np.ndarray) -> np.ndarray:
  """[N] of [N] or [N, 1]; other shapes as they are."""
  return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _single(values: np.ndarray) -> np.ndarray:
  return values.astype(episodes_lib.single(values.dtype), copy=False)
