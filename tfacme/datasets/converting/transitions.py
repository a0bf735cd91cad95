"""Episodes of transitions that lie in arrays one after the other."""

from __future__ import annotations

import logging
import math
from typing import Any, Dict, Iterator, Mapping, NamedTuple, Optional, Tuple

import numpy as np
import tree

from tfacme import core, errors
from tfacme.datasets import episodes as episodes_lib
from tfacme.datasets import ranges

_LOG = logging.getLogger('tfacme')
_BLOCK = 1 << 20  # numbers that are compared at once


class Columns(NamedTuple):
  """N transitions; the leaves are arrays, or are read where they are sliced."""

  observations: Any  # [N, ...]
  actions: Any  # [N, ...]
  rewards: Any  # [N], or [N, 1], as the next two
  terminals: Any  # [N]
  timeouts: Optional[Any] = None  # [N]
  next_observations: Optional[Any] = None  # [N, ...]


class Episode(NamedTuple):
  """An episode, and whether it can be learned from."""

  step: core.Step  # leaves [T + 1, ...], real numbers in single precision
  strange: str  # its first NaN or infinity and where that is, as its source calls it; empty if there is none


class _Ends(NamedTuple):
  """Where episodes end."""

  rows: np.ndarray  # int64 [episodes], the last transition of each
  terminal: np.ndarray  # bool [episodes]


def episodes(columns: Columns, name: str, max_episode_steps: Optional[int] = None) -> Iterator[Episode]:
  """The episodes.

  An episode ends where it was terminated, and where it was truncated: at a timeout; where the next observation is not
  the observation of the next transition; at so many steps, if neither is there. What is both a terminal and a timeout
  counts as a terminal. A NaN or an infinity shows no end, and makes the whole episode strange.

  Of a truncated episode whose final observation is not there, the last transition is left out: it leads to nothing that
  one could bootstrap from. What a terminal state looks like means nothing; where it is missing, the one before stands
  in its place. Warnings say how often there is what.

  Args:
    columns: the transitions.
    name: what they are called, for errors.
    max_episode_steps: at which episodes were truncated, if nothing else says so.

  Raises:
    UserError: if nothing says where episodes were truncated, or both the data and `max_episode_steps` do; if flags are
      other numbers than 0 and 1.
  """
  ends = _ends(columns, name, max_episode_steps)
  if columns.next_observations is None:
    _warn_of_unseen(ends, name)
  rewards = np.asarray(columns.rewards[:]).reshape(-1).astype(np.float32)
  return _cut(columns._replace(rewards=rewards), ends)


def check_flat(values: Any, name: str, source: str) -> None:
  """Raises a `UserError` unless an array is [N] or [N, 1]."""
  shape = getattr(values, 'shape', None)
  if not shape or shape[1:] not in ((), (1,)):
    what = 'no array' if shape is None else f'of the shape {shape}'
    raise errors.UserError(f'{name} of {source} is {what}, and has to be [N] or [N, 1]: a number for each transition.')


def as_converted(values: Any) -> np.ndarray:
  """Values in the type in which they are written: of real numbers the one in single precision, of others their own.

  Whether 32 bits hold all whole numbers of a source is not known before its last episode is read.
  """
  values = np.asarray(values)
  return episodes_lib.in_single(values) if values.dtype.kind == 'f' else values


def strange(nest: Any, start: int = 0, of: str = '') -> str:
  """The first NaN or infinity of some leaves, whose rows count from `start`, in words; empty if there is none."""
  for path, leaf in tree.flatten_with_path(nest):
    at = ranges.strange_at(leaf)
    if at is not None:
      return f'{leaf[at]} in row {start + at[0]} of {"/".join(map(str, path))}{of}'
  return ''


def _warn_of_unseen(ends: _Ends, name: str) -> None:
  """Says what is lost, and what is made up, where there are no next observations."""
  truncated, alone = ~ends.terminal, np.diff(ends.rows, prepend=-1) == 1
  for count, what in (
    (truncated, 'last transitions of truncated episodes, of which nobody knows where they led, are left out'),
    (truncated & alone, 'truncated episodes, which have no other transition, are left out'),
    (ends.terminal, 'terminated episodes lack their final observation, for which the one before it stands'),
  ):
    if count.any():
      _LOG.warning('%s has no next_observations: %d %s.', name, count.sum(), what)


def _cut(columns: Columns, ends: _Ends) -> Iterator[Episode]:
  start = 0
  for end, terminal in zip(ends.rows.tolist(), ends.terminal.tolist()):
    steps = end + 1 - start
    if columns.next_observations is None and not terminal:
      steps -= 1
    if steps:
      read = _read(columns, range(start, end + 1), steps)
      yield Episode(_step(read, terminal), strange(read, start))
    start = end + 1


def _read(columns: Columns, rows: range, steps: int) -> Dict[str, Any]:
  """What the episode of the transitions in some rows is made of, by the names of the arrays: the first `steps` rows of
  actions and rewards, and all rows of the others."""

  def read(at: Tuple[str, ...], leaf: Any) -> np.ndarray:
    count = steps if at[0] in ('actions', 'rewards') else len(rows)
    return as_converted(leaf[rows.start : rows.start + count])

  names = ('observations', 'actions', 'rewards', 'next_observations')
  known = {key: getattr(columns, key) for key in names if getattr(columns, key) is not None}
  return tree.map_structure_with_path(read, known)


def _step(read: Mapping[str, Any], terminal: bool) -> core.Step:
  """The episode that is made of that."""
  steps = len(read['rewards'])

  def observed(leaf: np.ndarray, following: np.ndarray) -> np.ndarray:
    # One more row is there than steps where the last transition is left out.
    return leaf if len(leaf) > steps else as_converted(np.concatenate([leaf, following[-1:]]))

  def padded(leaf: np.ndarray) -> np.ndarray:
    return np.concatenate([leaf, np.zeros_like(leaf[:1])])

  observations = read['observations']
  discount = np.ones(steps + 1, np.float32)
  discount[steps - int(terminal) :] = 0
  return core.Step(
    observation=tree.map_structure(observed, observations, read.get('next_observations', observations)),
    action=tree.map_structure(padded, read['actions']),
    reward=padded(read['rewards']),
    discount=discount,
    first=np.arange(steps + 1) == 0,
    last=np.arange(steps + 1) == steps,
  )


def _ends(columns: Columns, name: str, max_episode_steps: Optional[int]) -> _Ends:
  """Where episodes end; the last one does with the arrays."""
  terminals = _flags(columns.terminals, f'terminals of {name}')
  if not len(terminals):
    raise errors.UserError(f'{name} has no transitions.')
  truncated = _truncated(columns, terminals, name, max_episode_steps)
  over = terminals | truncated
  over[-1] = True
  rows = np.flatnonzero(over)
  return _Ends(rows, terminals[rows])


def _truncated(columns: Columns, terminals: np.ndarray, name: str, max_episode_steps: Optional[int]) -> np.ndarray:
  """Whether an episode was truncated after each transition, bool [N]."""
  timeouts = None if columns.timeouts is None else _flags(columns.timeouts, f'timeouts of {name}')
  if timeouts is not None and (terminals & timeouts).any():
    _LOG.warning(
      '%s: %d transitions are both terminals and timeouts, and count as terminals: write 0 into terminals where a time '
      'limit alone ended the episode.',
      name,
      (terminals & timeouts).sum(),
    )
  if max_episode_steps is not None:
    said = [part for part in ('timeouts', 'next_observations') if getattr(columns, part) is not None]
    if said:
      raise errors.UserError(
        f'{name} has {" and ".join(said)}, which say where episodes were truncated: leave --max-episode-steps out.'
      )
    return _at_steps(terminals, max_episode_steps)
  if columns.next_observations is None:
    if timeouts is None:
      raise errors.UserError(
        f'{name} has neither timeouts nor next_observations, which say where episodes were truncated: say after how '
        'many steps they were (--max-episode-steps N; a number that none reaches, if none was).'
      )
    return timeouts
  breaks = _breaks(columns)
  if timeouts is None:
    timeouts = np.zeros_like(terminals)
  # Some files mark the transition beside that after which the environment was reset. Where nothing breaks off near a
  # timeout, the environment was not reset, but who recorded counted on.
  beside = timeouts & ~breaks & (_shifted(breaks, 1) | _shifted(breaks, -1))
  if beside.any():
    _LOG.warning(
      'Timeouts of %s that lie a step beside the end of their episode, which next_observations show: %d.',
      name,
      int(beside.sum()),
    )
  unsaid = (breaks & ~(terminals | timeouts | _shifted(beside, 1) | _shifted(beside, -1)))[:-1]
  if unsaid.any():
    _LOG.warning(
      '%s: after %d of %d transitions an episode is cut because next_observations lead elsewhere than to the row after '
      'it, which nothing else says.',
      name,
      unsaid.sum(),
      len(terminals),
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
      same = np.isclose(left, right, rtol=1e-5, atol=1e-6) | ~(np.isfinite(left) & np.isfinite(right))
      breaks[start:end] |= ~same.reshape(end - start, -1).all(axis=1)
  breaks[-1] = True
  return breaks


def _shifted(flags: np.ndarray, by: int) -> np.ndarray:
  """Flags of the neighbours."""
  shifted = np.roll(flags, by)
  shifted[0 if by > 0 else -1] = False
  return shifted


def _flags(column: Any, name: str) -> np.ndarray:
  """A column as bool [N]; some files hold real numbers, or [N, 1]."""
  values = np.asarray(column[:]).reshape(-1)
  strange = values[(values != 0) & (values != 1)]
  if len(strange):
    raise errors.UserError(f'{name} hold {strange[0]}, and have to be 0 or 1.')
  return values == 1
