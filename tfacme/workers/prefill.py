"""A prefill: writes recorded data, or so many steps of a policy, into tables once, beside what the actors write."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence

import numpy as np
import tree

from tfacme import core, errors, experiments, seeds, specs
from tfacme import datasets as datasets_lib
from tfacme.replay import items as items_lib
from tfacme.replay import packing, recorded, resolving, sources, streams, tables
from tfacme.workers import episodes, playing, random_policy, roles

_EPISODES, _DONE = 'prefill_episodes', 'prefill_done'


@dataclasses.dataclass(frozen=True)
class Prefill(roles.Role):
  """Fills tables before the actors begin: with recorded data, or with steps of a policy.

  A table takes it in if its `written_by` has the name of the role: ('actor', 'prefill') beside the actors, 'prefill'
  alone for a table of its own. What it writes goes through the builder's `relabel` like all else, which has to give the
  same at each reading. It does not count towards the rate limiter, once that has its minimal size: all items are
  counted before the run starts. A resumed run writes nothing if its replay was saved; there are no checkpoints before
  all is written.

  Attributes:
    dataset: the episodes, all of which are written; None takes the experiment's, unless there are `steps`.
    steps: in the place of data, so many environment steps, to the end of the last episode; they are not of the budget.
      They are played before the run starts, and kept in memory until they are written.
    policy: for steps, makes from an action spec and a seed what acts: from an observation to an action, with a
      `reset()` for the start of an episode. It takes actions at random unless it is told otherwise.
    zeros: names of extras of the agent's own rows that are zeros here, such as a recurrent state.
  """

  name: str = 'prefill'
  phase: str = 'prefill'
  dataset: Any = None
  steps: Optional[int] = None
  policy: Callable[[Any, int], Any] = random_policy.RandomPolicy
  zeros: Sequence[str] = ()
  _episodes: Optional[recorded.Recorded] = None
  _tables: Sequence[tables.Table] = ()
  _inserts: Mapping[str, int] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    super().__post_init__()
    if self.count != 1:
      raise errors.UserError(
        f'The prefill {self.name!r} has {self.count} nodes, each of which would write all its data; leave count at 1.'
      )
    if self.phase != 'prefill':
      raise errors.UserError(f"The prefill {self.name!r} belongs to the phase 'prefill', not {self.phase!r}.")
    if self.steps is not None:
      errors.count('The number of steps of a prefill', self.steps)
      if self.dataset is not None:
        raise errors.UserError('A prefill writes either a dataset or so many steps; give one of the two.')

  def prepared(self, given: resolving.Given) -> Prefill:
    """See `Role`: finds its tables, and counts what it will write."""
    mine = [table for table in given.described if self.name in table.written_by]
    if not mine:
      raise errors.UserError(
        f'The prefill {self.name!r} writes into no table; name it in one, as in '
        f"Table(..., written_by=('actor', {self.name!r}))."
      )
    dataset = self.dataset
    if self.steps is not None:
      dataset = Played(given.environment, given.spec, self.steps, self.policy)
      given = dataclasses.replace(given, fit=lambda played, rewards: played)  # It is of this environment.
    data = sources.Data(items_lib.Items(length=2), 1, dataset, zeros=self.zeros, relabel=given.relabel)
    rows = resolving.resolve_data(data, given, given.step_spec.extras)
    saved = given.counts.get(self.name, {})
    if saved.get(_DONE):  # They are in the replay, and needed only if the run's engine can't take that over.
      inserts = {table.name: saved[_count_name(table)] for table in mine}
    else:
      seed = seeds.derive(given.seed, self.name)
      if self.steps is not None:  # How many items they make is known only once they are played.
        rows = dataclasses.replace(rows, dataset=datasets_lib.memory(dataset.episodes(seed)))
      inserts = _count_items(rows, seed, mine)
    return dataclasses.replace(self, _episodes=rows, _tables=tuple(mine), _inserts=inserts)

  def inserts(self) -> Mapping[str, int]:
    """See `Role`."""
    return self._inserts

  def make(self, parts: roles.RoleParts) -> Prefiller:
    """See `Role`."""
    assert self._episodes is not None
    writer = parts.replay.writer(self.name)  # type: ignore[union-attr]
    # What it plays is as old as the run's first variables.
    version = packing.RECORDED if self.steps is None else 0
    return Prefiller(parts, self._episodes, self._tables, writer, version)


class Prefiller:
  """Writes one episode at a time; a `core.Worker`."""

  runs_until_blocked = True  # In a run in one thread it is done before the actors begin.

  def __init__(
    self,
    parts: roles.RoleParts,
    data: recorded.Recorded,
    described: Sequence[tables.Table],
    writer: streams.StreamWriter,
    version: int,
  ):
    """Args: version: of the variables that acted, or `packing.RECORDED`."""
    self.name = parts.name
    self.tally = parts.tally
    self._writer = writer
    self._tables = described
    self._cutter = streams.Cutter(described)
    self._columns = parts.codec.rows(1)
    self._row = {name: column[0] for name, column in self._columns.items()}
    steps, versions = parts.codec.views(self._columns)
    self._views = tree.flatten(steps)
    versions[:] = version
    names = [_EPISODES, *map(_count_name, described), _DONE]
    self.tally.join(names)
    self._over = parts.kept and bool(self.tally.counts[_DONE])  # whether all is written
    if not self._over:
      self.tally.counts = dict.fromkeys(names, 0)
      self.tally.report()
    self._data = data
    self._seed = parts.seed
    self._episodes: Optional[Iterator[core.Step]] = None
    self._done = False

  def step(self, wait: float) -> core.Outcome:
    """Writes the next episode."""
    if self._done:
      return core.Progress.DONE
    blocked = self._writer.flush(wait, everything=self._over)
    if blocked is not None:
      return blocked
    if self._over:
      return self._finish()
    if self._episodes is None:
      self._episodes = self._data.episodes(self._seed)
    episode = next(self._episodes, None)
    if episode is None:
      self._over = True
    else:
      self._write(episode)
    return core.Progress.DID

  def close(self) -> None:
    """See `core.Worker`."""
    self._episodes = None

  def _write(self, episode: core.Step) -> None:
    leaves, due = tree.flatten(episode), []
    for t, last in enumerate(episode.last):
      for view, leaf in zip(self._views, leaves):
        view[0] = leaf[t]
      self._writer.append(self._row, bool(last))
      due.append(self._cutter.advance(bool(last)))
    due.extend(self._cutter.finish())
    for table, items in zip(self._tables, np.sum(due, axis=0).tolist()):
      self.tally.add(_count_name(table), items)
    self.tally.add(_EPISODES)
    self.tally.report()

  def _finish(self) -> core.Outcome:
    self.tally.counts[_DONE] = 1
    self.tally.report(finished=True)
    self._done = True
    self.close()
    return core.Progress.DONE


def _count_name(table: tables.Table) -> str:
  """Under which name the items of a table are counted."""
  return f'prefill_items_{table.name}'


def _count_items(data: recorded.Recorded, seed: int, described: Sequence[tables.Table]) -> Mapping[str, int]:
  """{table: items} that recorded data make; one episode of them is in memory at a time."""
  counts, cutter = np.zeros(len(described), np.int64), streams.Cutter(described)
  for length in data.lengths(seed):
    due = [cutter.advance(last) for last in [False] * length + [True]]
    counts += np.sum([*due, *cutter.finish()], axis=0)
  return {table.name: count for table, count in zip(described, counts.tolist())}


@dataclasses.dataclass(frozen=True)
class Played:
  """So many steps of a policy as a data set, which is played when it is read.

  Attributes:
    environment: makes the environment from a seed.
    environment_spec: of it.
    steps: to the end of the episode in which so many are reached.
    policy: makes from an action spec and a seed what acts.
  """

  environment: Callable[[int], Any]
  environment_spec: specs.EnvironmentSpec
  steps: int
  policy: Callable[[Any, int], Any]

  def episodes(self, seed: int = 0) -> Iterator[core.Step]:
    """Plays; all of it is a function of the seed."""
    policy = self.policy(self.environment_spec.actions, seed)
    environment = specs.make_environment(self.environment, seed, 'prefill')
    limit, steps = playing.Limit(experiments.MAX_EPISODE_STEPS), 0
    try:
      while steps < self.steps:
        rows = episodes.play(policy, environment, self.environment_spec, limit, 'The prefill')
        steps += len(rows) - 1
        yield datasets_lib.episode(rows)
    finally:
      environment.close()

  def spec(self) -> core.Step:
    """The spec of one row, which has no extras."""
    return core.step_spec(self.environment_spec)

  def check(self) -> None:
    """Nothing is wrong with it before it is played."""
