"""Episodes that lie in memory, as a data set."""

from __future__ import annotations

import dataclasses
from collections import abc
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Sequence, Tuple

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
  facts: List[Mapping[str, Any]] = []
  steps: List[core.Step] = []
  lacks: Dict[str, None] = {}
  dropped = ends.Dropped()
  for number, one in enumerate(episodes):
    said = _metadata(one)
    if isinstance(one, core.Step):
      dropped.add_step(one, options)
      one = ends.emptied(one)
    else:
      where = f'episode {number} of {_NAME}'
      recorded = _leaves(one, where)
      dropped.add(recorded, options)
      stream = ends.settle(recorded, len(next(iter(recorded.values()), ())), options, where)
      if stream is None:
        continue
      lacks.update(dict.fromkeys(ends.lacks(recorded, options)))
      one = _step(stream)
    steps.append(tree.map_structure(episodes_lib.in_single, one))
    facts.append({**said, 'return': episodes_lib.return_of(one.reward), 'length': len(one.last) - 1})
  if options.chooses and steps:
    steps = [steps[number] for number in choosing.choose(enumerate(facts), options, _NAME)]
  return Memory(_of_one_precision(steps), tuple(lacks), dropped)


def _check(episodes: Any, options: Options) -> None:
  """Raises a `UserError` unless episodes are given, and options that mean something for them."""
  if isinstance(episodes, str):
    raise errors.UserError(f'{episodes!r} is a path, and no episodes: datasets.rlds({episodes!r}) reads what is there.')
  others = [name for name in options.changed if name not in _SAID]
  if others:
    raise errors.UserError(
      f'Options of episodes in memory are {", ".join(_SAID)}; {errors.listed(others)} can say nothing of them.'
    )


def _metadata(episode: Any) -> Dict[str, Any]:
  """The numbers and texts that an episode as RLDS has it says beside its steps."""
  if not isinstance(episode, abc.Mapping) or 'steps' not in episode:
    return {}
  said = {name: np.asarray(value) for name, value in episode.items() if name != 'steps'}
  plain = {name: value.item() for name, value in said.items() if value.shape == ()}
  return {name: value.decode() if isinstance(value, bytes) else value for name, value in plain.items()}


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
