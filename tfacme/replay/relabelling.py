"""Rewriting a stream: the rows of an actor's slot before they are written, and recorded episodes before they are cut.

    relabelling.by_row(lambda step: step._replace(reward=np.tanh(step.reward)))
    relabelling.by_episode(lambda episode: episode if episode.reward.sum() > 0 else None)     only episodes with success
    relabelling.returns_to_go(discount=0.99)
    relabelling.in_order(relabelling.previous_actions(spec.actions), relabelling.returns_ahead(steps=15))

An agent gives one to `Builder.relabel`, and for data beside its actors to `sources.Data(..., relabel=...)`.
"""

from __future__ import annotations

import collections
import functools
from typing import Any, Callable, Deque, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import tree
from dm_env import specs as dm_specs

from tfacme import core, errors, specs
from tfacme.datasets import episodes as episodes_lib
from tfacme.replay import packing, streams

_MOST_ROWS = 100_000  # of an episode that an actor makes, which are all kept until its end


def by_row(function: Callable[[core.Step], core.Step], extras: Any = None) -> core.Relabel:
  """Rewrites each row by itself.

  Args:
    function: from a row to a row, also for the last of an episode, which has only an observation.
    extras: {name: spec} of the extras that it adds.
  """
  return core.Relabel(functools.partial(_ByRow, function), extras or {})


def by_episode(function: Callable[[core.Step], Optional[core.Step]], extras: Any = None) -> core.Relabel:
  """Rewrites whole episodes, whose rows wait until the last one is there.

  Args:
    function: from an episode, a `core.Step` with leaves [T + 1, ...], to an episode of any length, or None to leave it
      out.
    extras: {name: spec} of the extras that it adds.
  """
  return core.Relabel(functools.partial(_ByEpisode, function), extras or {})


def returns_to_go(
  discount: float = 1.0, truncated: Optional[float] = None, watch: Optional[Callable[[bool], None]] = None
) -> core.Relabel:
  """Adds the extras `return_to_go`: the discounted sum of the rewards from a row to the end of its episode.

  It is what critics learn where they bootstrap from nothing: G_t = r_t + gamma d_t G_{t+1} with the environment's
  discounts d_t, so that a zero among them cuts it, and G_T = 0 in the row of the final observation.

  Args:
    discount: gamma, of each step.
    truncated: what the rows of a truncated episode have in its place, since it is not all that would have come; None
      leaves them the sum of what came.
    watch: is told of each episode whether it terminated.
  """
  extras = {'return_to_go': dm_specs.Array((), np.float32)}
  return by_episode(functools.partial(_with_return_to_go, discount, truncated, watch), extras)


def returns_ahead(steps: int) -> core.Relabel:
  """Adds the extras `return_ahead`, the sum of the rewards of so many steps from a row on, and `return_ahead_weight`.

  The weight is 0 where the episode was truncated before, so that nobody knows the sum: it is of fewer steps there. An
  episode that terminated has no more rewards. It is a plain sum on purpose, without the environment's discounts, as the
  return of a plan is (Argenson & Dulac-Arnold 2021, algorithm 2).
  """
  errors.count('The steps of returns_ahead', steps)
  number = dm_specs.Array((), np.float32)
  extras = {'return_ahead': number, 'return_ahead_weight': number}
  return by_episode(functools.partial(_with_return_ahead, steps), extras)


def previous_actions(action_spec: Any) -> core.Relabel:
  """Adds the extras `previous_action`: the action of the row before; zeros in the first row of an episode.

  Args:
    action_spec: of the environment, a nest.
  """
  return by_episode(_with_previous_action, {'previous_action': action_spec})


def in_order(*relabels: core.Relabel) -> core.Relabel:
  """Rewrites rows as several do, one after the other; what they add are the extras of all."""
  extras = {name: spec for relabel in relabels for name, spec in relabel.extras.items()}
  return core.Relabel(functools.partial(_InOrder, relabels), extras)


def normalized_rewards(discount: float, epsilon: float = 1e-8) -> core.Relabel:
  """Divides rewards by the deviation of the discounted return so far (as Gymnasium's NormalizeReward does).

  The deviation is that of one stream, over all of its episodes; of a reward with several parts, each has its own.
  """
  return core.Relabel(functools.partial(_NormalizedRewards, discount, epsilon))


class _ByRow:
  def __init__(self, function: Callable[[core.Step], core.Step]):
    self._function = function

  def __call__(self, step: core.Step) -> Sequence[core.Step]:
    return (self._function(step),)


class _ByEpisode:
  def __init__(self, function: Callable[[core.Step], Optional[core.Step]]):
    self.rewrite = function
    self._rows: List[core.Step] = []

  def __call__(self, step: core.Step) -> Sequence[core.Step]:
    if len(self._rows) == _MOST_ROWS:
      raise errors.UserError(
        f'An episode has more than {_MOST_ROWS:,} rows, which wait for its end to be rewritten: give the '
        'environment a limit of steps (--env.step-limit).'
      )
    self._rows.append(step)
    if not step.last:
      return ()
    episode, self._rows = episodes_lib.episode(self._rows), []
    episode = self.rewrite(episode)
    return () if episode is None else rows(episode)


def _with_return_to_go(
  discount: float, truncated: Optional[float], watch: Optional[Callable[[bool], None]], episode: core.Step
) -> core.Step:
  terminated = _terminated(episode)
  if watch is not None:
    watch(terminated)
  if truncated is not None and not terminated:
    return _with_extras(episode, return_to_go=np.full_like(episode.reward, truncated))
  returns, total = np.zeros_like(episode.reward), np.float64(0)
  rewards, discounts = episode.reward.astype(np.float64), discount * episode.discount.astype(np.float64)
  for t in reversed(range(len(returns) - 1)):  # The last row has no reward, whatever stands there.
    total = rewards[t] + discounts[t] * total
    returns[t] = total
  return _with_extras(episode, return_to_go=returns)


def _with_return_ahead(steps: int, episode: core.Step) -> core.Step:
  transitions = len(episode.last) - 1
  before = np.concatenate([[0.0], np.cumsum(episode.reward[:-1], dtype=np.float64)])  # of each row
  ends = np.arange(transitions + 1) + steps
  returns = before[np.minimum(ends, transitions)] - before
  known = (ends <= transitions) | _terminated(episode)
  return _with_extras(episode, return_ahead=returns.astype(np.float32), return_ahead_weight=known.astype(np.float32))


def _terminated(episode: core.Step) -> bool:
  return bool(np.any(episode.discount[-2:-1] == 0))


def _with_previous_action(episode: core.Step) -> core.Step:
  previous = tree.map_structure(lambda x: np.concatenate([np.zeros_like(x[:1]), x[:-1]]), episode.action)
  return _with_extras(episode, previous_action=previous)


def _with_extras(episode: core.Step, **added: Any) -> core.Step:
  return episode._replace(extras={**(episode.extras or {}), **added})


class _InOrder:
  def __init__(self, relabels: Sequence[core.Relabel]):
    self._relabellers = [relabel.make() for relabel in relabels]
    rewrites = [getattr(relabeller, 'rewrite', None) for relabeller in self._relabellers]
    self.rewrite = functools.partial(_rewritten, rewrites) if all(rewrites) else None

  def __call__(self, step: core.Step) -> Sequence[core.Step]:
    given: Sequence[core.Step] = (step,)
    for relabeller in self._relabellers:
      given = [row for taken in given for row in relabeller(taken)]
    return given


def _rewritten(rewrites: Iterable[Callable[[core.Step], Optional[core.Step]]], episode: Any) -> Optional[core.Step]:
  for rewrite in rewrites:
    episode = None if episode is None else rewrite(episode)
  return episode


class _NormalizedRewards:
  def __init__(self, discount: float, epsilon: float):
    self._discount, self._epsilon = discount, epsilon
    self._return: Any = 0.0
    self._count = 0
    self._mean: Any = 0.0  # Welford's
    self._squares: Any = 0.0

  def __call__(self, step: core.Step) -> Sequence[core.Step]:
    if step.last:
      self._return = 0.0
      return (step,)
    self._return = self._discount * self._return + np.asarray(step.reward, np.float64)
    self._count += 1
    difference = self._return - self._mean
    self._mean += difference / self._count
    self._squares += difference * (self._return - self._mean)
    variance = self._squares / self._count if self._count > 1 else 1.0
    return (step._replace(reward=np.float32(step.reward / np.sqrt(variance + self._epsilon))),)


def rows(episode: core.Step) -> List[core.Step]:
  """The rows of an episode with leaves [T, ...]."""
  leaves = tree.flatten(episode)
  return [tree.unflatten_as(episode, [leaf[t] for leaf in leaves]) for t in range(len(episode.last))]


def relabelled(episodes: Iterable[core.Step], relabel: core.Relabel, spec: core.Step) -> Iterator[core.Step]:
  """Episodes as one relabeller rewrites them, one after the other.

  Args:
    episodes: each with leaves [T + 1, ...].
    relabel: how.
    spec: of one row of what it gives.
  """
  relabeller, check, ready = relabel.make(), _Check(spec), []
  rewrite = getattr(relabeller, 'rewrite', None)
  for episode in episodes:
    if rewrite is not None:  # To take an episode apart takes a hundred times as long.
      given = rewrite(tree.map_structure(np.array, episode))
      if given is not None:
        yield check(given, len(given.last))
      continue
    for step in rows(episode):
      for given in relabeller(step):
        ready.append(check(given))
        if given.last:
          yield episodes_lib.episode(ready)
          ready = []


class _Check:
  """Raises a `UserError` if a row of a relabeller, or an episode of so many, is none of a spec; or returns it."""

  def __init__(self, spec: core.Step):
    self._spec = spec
    self._shapes = [tuple(leaf.shape) for leaf in tree.flatten(spec)]
    self._first = True

  def __call__(self, step: core.Step, *rows: int) -> core.Step:
    if self._first:
      self._check_structure(step)
      self._first = False
    for i, (shape, value) in enumerate(zip(self._shapes, tree.flatten(step), strict=True)):
      if np.shape(value) != (*rows, *shape):  # An assignment would broadcast it.
        name, found = list(specs.paths(self._spec))[i], np.shape(value)[len(rows) :]
        raise errors.UserError(
          f'A relabeller gave a row whose {name} is of shape {found}, and those of the stream have {shape}.'
        )
    return step

  def _check_structure(self, step: core.Step) -> None:
    ours, theirs = list(specs.paths(self._spec)), list(specs.paths(step))
    if ours != theirs:
      differ = sorted(set(ours) ^ set(theirs)) or 'the same parts in another order'
      raise errors.UserError(
        f'A relabeller gave a row that is not built like those of the stream: one of them has {differ} and the other '
        'does not; extras that it adds have to be in `Relabel.extras`.'
      )


class Writer:
  """Writes one stream through a relabeller; a `streams.StreamWriter`.

  Rows that are ready wait here while the tables have no room for them, so that no table ever holds more than its rate
  limiter allows, however many rows are given at once.
  """

  def __init__(self, writer: streams.StreamWriter, relabel: core.Relabel, taken: packing.Codec, given: packing.Codec):
    """Args: taken: of the rows that it is given to write; given: of those that it writes."""
    self._writer = writer
    self._relabeller = relabel.make()
    # What is taken goes through memory of our own, so that its parts are found once and not in each row.
    self._taken = taken.rows(1)
    self._step, self._taken_version = taken.views(self._taken)
    self._parts = tree.flatten(self._step)
    self._check = _Check(given.step_spec)
    self._columns = given.rows(1)
    views, self._version = given.views(self._columns)
    self._views = tree.flatten(views)
    self._versions: Deque[int] = collections.deque()  # of the variables behind the rows that are held back
    self._ready: Deque[Tuple[streams.Columns, bool]] = collections.deque()

  def append(self, row: streams.Columns, last: bool) -> None:
    """Takes a row, and writes what is ready as far as there is room."""
    for name, column in self._taken.items():
      column[0] = row[name]
    version = int(self._taken_version[0])
    self._versions.append(version)
    for given in self._relabeller(tree.unflatten_as(self._step, [part[0].copy() for part in self._parts])):
      self._ready.append((self._pack(self._check(given), version), bool(given.last)))
    if last:
      self._versions.clear()
    if self._ready:  # There is room for one, or nobody would have called.
      self._writer.append(*self._ready.popleft())
    while self._ready and self._writer.flush(0.0) is None:
      self._writer.append(*self._ready.popleft())

  def flush(self, wait: float, everything: bool = False) -> Optional[core.Blocked]:
    """Whether there is room for one more row, once all that are ready are written."""
    while self._ready:
      blocked = self._writer.flush(wait)
      if blocked is not None:
        return blocked
      self._writer.append(*self._ready.popleft())
    return self._writer.flush(wait, everything)

  def _pack(self, step: core.Step, newest: int) -> streams.Columns:
    for view, leaf in zip(self._views, tree.flatten(step)):
      view[0] = leaf
    self._version[0] = self._versions.popleft() if self._versions else newest
    return {name: column[0].copy() for name, column in self._columns.items()}
