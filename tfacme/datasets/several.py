"""Several data sets as one."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Iterator, Mapping, Sequence, Tuple

import numpy as np
import tree

from tfacme import core, errors, specs
from tfacme.datasets import episodes as episodes_lib
from tfacme.datasets.options import BLOCK_MEGABYTES

_NESTS = ('observation', 'action', 'extras')


@dataclasses.dataclass(frozen=True)
class Several:
  """Episodes of several data sets; see `several`."""

  datasets: Tuple[Any, ...]
  shares: Tuple[float, ...] = ()

  def episodes(self, seed: int = 0) -> Iterator[core.Step]:
    """One pass over all episodes, in an order that is a function of the seed; with shares, smaller sets come again."""
    order, row = self._by_shares(seed) if self.shares else self._each_once(seed), self.spec()
    return (_in_shape(_take(self._shared, episode), row) for episode in order)

  def spec(self) -> core.Step:
    """The spec of one row: of what all of them have."""
    return _take(self._shared, self.datasets[0].spec())

  @property
  def size(self) -> int:
    """How many episodes there are."""
    return sum(map(size, self.datasets))

  @property
  def block_bytes(self) -> int:
    """The size of the blocks of episodes over which their items are shuffled: the least that one of them says."""
    return min(map(block_bytes, self.datasets))

  @property
  def lacks(self) -> Tuple[str, ...]:
    """What of its rows one of them does not say."""
    return tuple({name: None for dataset in self.datasets for name in getattr(dataset, 'lacks', ())})

  @property
  def left_out(self) -> Sequence[str]:
    """What of their steps is not read, in words."""
    own = {what: None for dataset in self.datasets for what in getattr(dataset, 'left_out', ())}
    found = [specs.paths(dataset.spec().extras) for dataset in self.datasets]
    for path in found[0]:
      forms = {_form(extras[path]) if path in extras else 'not there': None for extras in found}
      if len(forms) > 1:
        own[f'extras/{path} is not alike in all ({errors.listed(forms)})'] = None
    return tuple(own)

  def check(self) -> None:
    """Raises a `UserError` that names what is wrong with one of them, or in what they differ."""
    for dataset in self.datasets:
      dataset.check()
    rows = [specs.paths(dataset.spec()) for dataset in self.datasets]
    for path in specs.paths(self.spec()):
      first, *others = [row[path] for row in rows]
      for dataset, other in zip(self.datasets[1:], others):
        if other.dtype.kind != first.dtype.kind or not episodes_lib.alike(other.shape, first.shape):
          raise errors.UserError(
            f'Data sets that are read as one differ in {path}: it is {_form(first)} in {_name(self.datasets[0])}, and '
            f'{_form(other)} in {_name(dataset)}; leave one of them out.'
          )

  @functools.cached_property
  def _shared(self) -> Mapping[str, Sequence[str]]:
    """Of each nest in which their rows differ, the paths that all of them have; of extras, those of one form."""
    shared = {}
    for name in _NESTS:
      nests = [getattr(dataset.spec(), name) for dataset in self.datasets]
      first, *others = map(specs.paths, nests)
      paths = [path for path in first if all(path in other for other in others)]
      if name == 'extras':  # Other nests have to be those of an environment, which brings them into one form.
        paths = [path for path in paths if all(_form(other[path]) == _form(first[path]) for other in others)]
      if len(paths) < len(first) or not all(specs.have_one_structure(nests[0], nest) for nest in nests[1:]):
        shared[name] = paths
    return shared

  def _each_once(self, seed: int) -> Iterator[core.Step]:
    """All episodes; those of a larger data set come more often throughout."""
    streams = {i: iter(dataset.episodes(seed)) for i, dataset in enumerate(self.datasets)}
    left = {i: size(dataset) for i, dataset in enumerate(self.datasets)}
    random = np.random.default_rng([seed, len(streams)])
    while streams:
      weights = np.array([left[i] for i in streams], np.float64)
      i = list(streams)[int(random.choice(len(weights), p=weights / weights.sum()))]
      episode = next(streams[i], None)
      if episode is None:
        del streams[i]
        continue
      left[i] = max(1, left[i] - 1)
      yield episode

  def _by_shares(self, seed: int) -> Iterator[core.Step]:
    """Episodes, their transitions in the shares, until all data sets have been read once."""
    streams = [iter(dataset.episodes(seed)) for dataset in self.datasets]
    passes, unread = [0] * len(streams), set(range(len(streams)))
    transitions = np.zeros(len(streams))
    while True:
      i = int(np.argmin(transitions / np.array(self.shares)))
      episode = next(streams[i], None)
      if episode is not None:
        transitions[i] += len(episode.last) - 1
        yield episode
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
    datasets: whose rows differ in precision and sides of one alone; of what only some have, or of extras in several
      forms, nothing is read.
    shares: how large a part of the transitions each has; one that is too small for its share is read over again. None
      given, each episode is read once.

  Raises:
    UserError: unless there is a share for each.
  """
  if shares and len(shares) != len(datasets):
    raise errors.UserError(
      f'Shares ({len(shares)}) and data sets ({len(datasets)}) have to be as many: give one for each.'
    )
  for share in shares:
    errors.in_range('A share of a data set', share, above=0)
  return Several(tuple(datasets), tuple(shares))


def size(dataset: Any) -> int:
  """How many episodes a data set has; 1 if it does not say so."""
  return getattr(dataset, 'size', 1)


def block_bytes(dataset: Any) -> int:
  """The size of the blocks over which items of a data set are shuffled; the default if it does not say so."""
  return getattr(dataset, 'block_bytes', BLOCK_MEGABYTES << 20)


def _take(shared: Mapping[str, Sequence[str]], step: core.Step) -> core.Step:
  """An episode, or the spec of a row, with only these parts of some nests, by their paths."""
  nests = {}
  for name, paths in shared.items():
    found = specs.paths(getattr(step, name))
    nests[name] = found[''] if paths == [''] else {path: found[path] for path in paths}
  return step._replace(**nests)


def _in_shape(step: core.Step, row: core.Step) -> core.Step:
  """An episode whose leaves have the shapes of a row's spec, where they differ in sides of one alone."""
  leaves = zip(tree.flatten(step), tree.flatten(row))
  return tree.unflatten_as(step, [leaf.reshape((len(leaf), *spec.shape)) for leaf, spec in leaves])


def _form(spec: Any) -> str:
  return f'{spec.dtype} {list(spec.shape)}'


def _name(dataset: Any) -> str:
  return getattr(dataset, 'path', None) or getattr(dataset, 'id', None) or type(dataset).__name__
