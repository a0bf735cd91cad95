"""Several data sets as one."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Callable, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import tree

from tfacme import core, errors, specs

_NESTS = ('observation', 'action', 'extras')


@dataclasses.dataclass(frozen=True)
class Several:
  """Episodes of several data sets; see `several`."""

  datasets: Tuple[Any, ...]
  shares: Tuple[float, ...] = ()

  def episodes(self, seed: int = 0) -> Iterator[core.Step]:
    """One pass over all episodes, in an order that is a function of the seed; with shares, smaller sets come again."""
    order = self._by_shares(seed) if self.shares else self._each_once(seed)
    if self._takers is None:
      return (episode for _, episode in order)
    return (self._takers[i](episode) for i, episode in order)

  def spec(self) -> core.Step:
    """The spec of one row: of what all of them have."""
    first = self.datasets[0].spec()
    return first if self._takers is None else self._takers[0](first)

  @property
  def lacks(self) -> Tuple[str, ...]:
    """What of its rows one of them does not say."""
    return tuple({name: None for dataset in self.datasets for name in getattr(dataset, 'lacks', ())})

  def check(self) -> None:
    """Raises a `UserError` that names what is wrong with one of them, or in what they differ."""
    for dataset in self.datasets:
      dataset.check()
    rows = [specs.paths(dataset.spec()) for dataset in self.datasets]
    for path in specs.paths(self.spec()):
      forms = [f'{row[path].dtype} {list(row[path].shape)}' for row in rows]
      for other, form in zip(self.datasets[1:], forms[1:]):
        if form != forms[0]:
          raise errors.UserError(
            f'Data sets that are read as one differ in {path}: it is {forms[0]} in {_name(self.datasets[0])}, and '
            f'{form} in {_name(other)}; leave one of them out.'
          )

  @functools.cached_property
  def _takers(self) -> Optional[Sequence[Callable[[core.Step], core.Step]]]:
    """What brings the rows of each into one form; None if they have one."""
    rows = [dataset.spec() for dataset in self.datasets]
    try:
      for other in rows[1:]:
        tree.assert_same_structure(rows[0], other)
      return None
    except (TypeError, ValueError):
      pass
    shared = {}
    for name in _NESTS:
      found = [specs.paths(getattr(row, name)) for row in rows]
      shared[name] = tuple(path for path in found[0] if all(path in other for other in found))
    return [functools.partial(_take, shared)] * len(rows)

  def _each_once(self, seed: int) -> Iterator[Tuple[int, core.Step]]:
    """(which data set, episode) of all episodes; those of a larger data set come more often throughout."""
    streams = {i: iter(dataset.episodes(seed)) for i, dataset in enumerate(self.datasets)}
    left = {i: getattr(dataset, 'size', 1) for i, dataset in enumerate(self.datasets)}
    random = np.random.default_rng([seed, len(streams)])
    while streams:
      weights = np.array([left[i] for i in streams], np.float64)
      i = list(streams)[int(random.choice(len(weights), p=weights / weights.sum()))]
      episode = next(streams[i], None)
      if episode is None:
        del streams[i]
        continue
      left[i] = max(1, left[i] - 1)
      yield i, episode

  def _by_shares(self, seed: int) -> Iterator[Tuple[int, core.Step]]:
    """(which data set, episode), transitions in the shares, until all data sets have been read once."""
    streams = [iter(dataset.episodes(seed)) for dataset in self.datasets]
    passes, unread = [0] * len(streams), set(range(len(streams)))
    transitions = np.zeros(len(streams))
    while True:
      i = int(np.argmin(transitions / np.array(self.shares)))
      episode = next(streams[i], None)
      if episode is not None:
        transitions[i] += len(episode.last) - 1
        yield i, episode
        continue
      if not transitions[i]:
        raise errors.UserError(f'{_name(self.datasets[i])} has no transition, so it can have no share: leave it out.')
      unread.discard(i)
      if not unread:
        return
      passes[i] += 1
      # No other pass of a data set has such a seed.
      streams[i] = iter(self.datasets[i].episodes(int(np.random.SeedSequence([seed, passes[i]]).generate_state(1)[0])))


def several(datasets: Sequence[Any], shares: Sequence[float] = ()) -> Several:
  """Several data sets as one.

  Args:
    datasets: whose rows have one form; of what only some have, nothing is read.
    shares: how large a part of the transitions each has; one that is too small for its share is read over again. None
      given, each episode is read once.

  Raises:
    UserError: unless there is a share for each.
  """
  if shares and len(shares) != len(datasets):
    raise errors.UserError(f'There are {len(shares)} shares of {len(datasets)} data sets: give one for each.')
  for share in shares:
    errors.in_range('A share of a data set', share, above=0)
  return Several(tuple(datasets), tuple(shares))


def _take(shared: Any, step: core.Step) -> core.Step:
  """A row, or the spec of one, with the parts that all data sets have, by their paths."""
  nests = {}
  for name in _NESTS:
    found = specs.paths(getattr(step, name))
    paths: List[str] = list(shared[name])
    nests[name] = found[''] if paths == [''] else {path: found[path] for path in paths}
  return step._replace(**nests)


def _name(dataset: Any) -> str:
  return getattr(dataset, 'path', None) or getattr(dataset, 'id', None) or type(dataset).__name__
