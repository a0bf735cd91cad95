"""Episodes that lie in memory, as a data set."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections import abc
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import tree

from tfacme import checkpoints, core, errors, specs
from tfacme.datasets import choosing, ends, ranges
from tfacme.datasets import episodes as episodes_lib
from tfacme.datasets.options import Options

_NAME = 'the data set in memory'
_SAID = ('where', 'best', 'episodes', 'last_row', 'ends')  # the options that mean something where there are no files


@dataclasses.dataclass(frozen=True, eq=False, repr=False)  # equal arrays have no hash, and a part of a `Mix` needs one
class Memory:
  """Episodes that lie in memory; see `memory`.

  Attributes:
    steps: of each episode, with leaves [T + 1, ...].
    lacks: what some of them do not say: 'reward', or the 'discount', so how they end; zeros or ones stand there.
    dropped: the rewards that were left out of them.
  """

  steps: Tuple[core.Step, ...]
  lacks: Tuple[str, ...] = ()
  dropped: ends.Dropped = dataclasses.field(default_factory=ends.Dropped)

  def __repr__(self) -> str:
    rows = sum(len(step.last) - 1 for step in self.steps)
    return f'<Memory: {errors.counted(len(self.steps), "episode")}, {rows:,} transitions>'

  @property
  def size(self) -> int:
    """How many episodes there are."""
    return len(self.steps)

  @property
  def id(self) -> str:
    """Names the episodes by what is in them."""
    return f'memory:{checkpoints.digest([tree.flatten(step) for step in self.steps])[:16]}'

  def episodes(self, seed: int = 0) -> Iterator[core.Step]:
    """One pass over all episodes, in an order that is a function of the seed."""
    for i in np.random.default_rng(seed).permutation(len(self.steps)):
      yield self.steps[i]

  def spec(self) -> core.Step:
    """The spec of one row, taken from the first episode."""
    if not self.steps:
      raise errors.UserError('The data set in memory is empty: give it at least one episode.')
    return episodes_lib.row_spec(self.steps[0])

  def check(self) -> ranges.Ranges:
    """Raises a `UserError` if there are no episodes, or if one of them is malformed, unlike the first or not finite.

    It does so too if the only rewards are in rows that do not count.
    """
    first, found = _signature(self.spec()), ranges.Ranges(_NAME)
    for number, step in enumerate(self.steps):
      rows = episodes_lib.check_last(step.last)
      for path, leaf in tree.flatten_with_path(step):
        if leaf.shape[:1] != (rows,):
          name = '/'.join(map(str, path))
          raise errors.UserError(
            f'In episode {number}, {name} is of the shape {leaf.shape}, and there are {rows} rows.'
          )
      if _signature(episodes_lib.row_spec(step)) != first:
        raise errors.UserError(f'Episode {number} of the data set in memory has other types or shapes than episode 0.')
      found.add(number, ranges.leaves(step))
    self.dropped.check(found.name)
    found.check()
    self.dropped.warn(found.name)
    return found


def memory(episodes: Iterable[Any], options: Options = Options()) -> Memory:
  """A data set of episodes in memory.

  Args:
    episodes: each a `core.Step` with leaves [T + 1, ...], as `episode` makes them, or an episode as RLDS has it:
      {'steps': steps}, where the steps are a dict of arrays or an iterable of dicts, such as a data set of TensorFlow.
      All is put into single precision, but for whole numbers that 32 bits do not hold. The action, reward and discount
      of a final observation become zeros; of rewards that get lost by that, `Memory.check` tells.
    options: which of them are taken (`where`, `best`, `episodes`), by their returns, lengths, and what else an episode
      of RLDS says beside its steps; and what such episodes leave open, their `last_row` and `ends`. With the last row
      said to be an observation, its reward is left out in silence.

  Raises:
    UserError: if it is not known what a last row is, if one has no observation or action, if no episode is chosen, or
      for options that say how files are read.
  """
  _check(episodes, options)
  given = [_Given(number, one, options) for number, one in enumerate(episodes)]
  steps: List[core.Step] = []
  lacks: Dict[str, None] = {}
  dropped = ends.Dropped()
  for one in _chosen(given, options) if options.chooses else given:
    one.note_dropped(dropped)
    if one.step is not None:
      lacks.update(dict.fromkeys(one.lacks))
      steps.append(one.step)
  return Memory(_of_one_precision(steps), tuple(lacks), dropped)


class _Given:
  """An episode as it was given: a `core.Step`, or one of RLDS."""

  def __init__(self, number: int, episode: Any, options: Options):
    self._where = f'episode {number} of {_NAME}'
    self._episode = episode
    self._leaves = {} if isinstance(episode, core.Step) else _leaves(episode, self._where)
    self._options = options

  @functools.cached_property
  def step(self) -> Optional[core.Step]:
    """The episode as it is in the stream; None if it has no transition."""
    if isinstance(self._episode, core.Step):
      step = ends.emptied(self._episode)
    else:
      rows = len(next(iter(self._leaves.values()), ()))
      stream = ends.settle(self._leaves, rows, self._options, self._where)
      if stream is None:
        return None
      step = _step(stream)
    return tree.map_structure(episodes_lib.in_single, step)

  @property
  def lacks(self) -> Sequence[str]:
    """What it does not say; see `Memory`."""
    return () if isinstance(self._episode, core.Step) else ends.lacks(self._leaves, self._options)

  def note_dropped(self, dropped: ends.Dropped) -> None:
    """Notes a reward that is left out of it."""
    if isinstance(self._episode, core.Step):
      dropped.add_step(self._episode, self._options)
    else:
      dropped.add(self._leaves, self._options)

  @property
  def metadata(self) -> Dict[str, Any]:
    """The numbers and texts that one of RLDS says beside its steps, by their paths."""
    if not isinstance(self._episode, abc.Mapping) or 'steps' not in self._episode:
      return {}
    said = {name: value for name, value in self._episode.items() if name != 'steps'}
    return {path: _plain(leaf) for path, leaf in specs.paths(said).items() if _is_scalar(leaf)}


def _chosen(given: Sequence[_Given], options: Options) -> List[_Given]:
  """Those that options choose, by no more than these ask for."""
  facts = {number: one.metadata for number, one in enumerate(given)}
  if choosing.needs_steps(options, {name for said in facts.values() for name in said}):
    choosing.check_returns(options, {name for one in given for name in one.lacks}, _NAME)
    steps = {number: one.step for number, one in enumerate(given)}
    facts = {
      number: {**facts[number], 'return': episodes_lib.return_of(step.reward), 'length': len(step.last) - 1}
      for number, step in steps.items()
      if step is not None
    }
  return [given[number] for number in choosing.choose(facts.items(), options, _NAME)]


def _is_scalar(leaf: Any) -> bool:
  return isinstance(leaf, (bytes, str, bool, int, float)) or getattr(leaf, 'shape', None) == ()


def _plain(scalar: Any) -> Any:
  """A number or a text of Python's own."""
  value = scalar if isinstance(scalar, (bytes, str)) else np.asarray(scalar).item()
  return value.decode('utf-8', 'replace') if isinstance(value, bytes) else value


def _check(episodes: Any, options: Options) -> None:
  """Raises a `UserError` unless episodes are given, and options that mean something for them."""
  if isinstance(episodes, (str, os.PathLike)):
    path = os.fspath(episodes)
    raise errors.UserError(f'{path!r} is a path, and no episodes: datasets.rlds({path!r}) reads what is there.')
  others = [name for name in options.changed if name not in _SAID]
  if others:
    raise errors.UserError(
      f'Options of episodes in memory are {", ".join(_SAID)}; {errors.listed(others)}: for data in files alone.'
    )


def _arrays(nest: Any) -> Any:
  """A nest of dicts and tuples with arrays as leaves; a list is one, as values of all rows."""
  nest = nest._asdict() if hasattr(nest, '_asdict') else nest
  if isinstance(nest, abc.Mapping):
    return {key: _arrays(part) for key, part in nest.items()}
  return tuple(map(_arrays, nest)) if isinstance(nest, tuple) else np.asarray(nest)


def _leaves(episode: Any, where: str) -> Dict[str, np.ndarray]:
  """The leaves of an episode as RLDS has it, by their paths in a row; {} if it has no row."""
  steps = episode['steps'] if isinstance(episode, abc.Mapping) and 'steps' in episode else episode
  if not isinstance(steps, abc.Mapping):
    listed = list(steps.as_numpy_iterator() if hasattr(steps, 'as_numpy_iterator') else steps)
    if not listed:
      return {}
    try:
      steps = tree.map_structure(lambda *leaves: np.stack(leaves), *listed)
    except (TypeError, ValueError) as error:
      raise errors.UserError(f'The steps of {where} are not alike, and make no arrays: {error}') from error
  leaves = {path: np.array(leaf) for path, leaf in specs.paths(_arrays(steps)).items()}
  leaves = {path: leaf for path, leaf in leaves.items() if leaf.dtype.kind in 'biuf'}  # and no text
  for name in ('observation', 'action'):
    if name not in {path.partition('/')[0] for path in leaves}:
      raise errors.UserError(
        f'The steps of {where} have no {name} that is a number, and are to be those of an episode of RLDS.'
      )
  return leaves


def _step(leaves: Mapping[str, np.ndarray]) -> core.Step:
  """The episode of leaves as they are in the stream."""
  nests = {}
  for field in ('observation', 'action', 'extras'):
    own = {path.partition('/')[2]: leaf for path, leaf in leaves.items() if path.partition('/')[0] == field}
    nests[field] = own[''] if '' in own else own or ()
  row = np.arange(len(leaves['discount']))
  return core.Step(reward=leaves['reward'], discount=leaves['discount'], first=row == 0, last=row == row[-1], **nests)


def _of_one_precision(steps: Sequence[core.Step]) -> Tuple[core.Step, ...]:
  """Episodes in which a leaf that takes 64 bits in one of them takes as many in all."""
  wide = {path for step in steps for path, leaf in tree.flatten_with_path(step) if leaf.dtype == np.int64}
  if not wide:
    return tuple(steps)
  widened = lambda path, leaf: leaf.astype(np.int64) if path in wide and leaf.dtype == np.int32 else leaf
  return tuple(tree.map_structure_with_path(widened, step) for step in steps)


def _signature(spec: core.Step) -> Any:
  return [(path, leaf.shape, leaf.dtype) for path, leaf in tree.flatten_with_path(spec)]
