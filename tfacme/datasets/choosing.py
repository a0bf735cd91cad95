"""Parts of a data set, and several as one."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, Container, Dict, Iterable, Iterator, List, Mapping, Sequence, Tuple

import numpy as np

from tfacme import core, errors
from tfacme.datasets import episodes as episodes_lib
from tfacme.datasets import several
from tfacme.datasets.options import Condition, Options


@dataclasses.dataclass(frozen=True)
class Best:
  """The episodes of a data set with the highest returns; see `best`."""

  dataset: Any
  share: float

  def episodes(self, seed: int = 0) -> Iterator[core.Step]:
    """One pass over the best episodes, in an order that is a function of the seed."""
    least = self._least
    return (episode for episode in self.dataset.episodes(seed) if episodes_lib.return_of(episode.reward) >= least)

  def spec(self) -> core.Step:
    """The spec of one row."""
    return self.dataset.spec()

  @property
  def size(self) -> int:
    """How many episodes the best are."""
    return sum(one >= self._least for one in self._returns)

  @property
  def block_bytes(self) -> int:
    """The size of the blocks of episodes over which their items are shuffled."""
    return several.block_bytes(self.dataset)

  @property
  def lacks(self) -> Sequence[str]:
    """What of its rows the data set does not say."""
    return getattr(self.dataset, 'lacks', ())

  def check(self) -> Any:
    """Raises a `UserError` that names what is wrong with the data set, if anything is."""
    if 'reward' in self.lacks:
      raise errors.UserError('No episodes of a data set without rewards have the highest returns: leave `best` out.')
    return self.dataset.check()

  @functools.cached_property
  def _returns(self) -> Sequence[float]:
    return [episodes_lib.return_of(episode.reward) for episode in self.dataset.episodes(seed=0)]

  @property
  def _least(self) -> float:
    if not self._returns:
      raise errors.UserError('The data set has no episode, so none is the best.')
    return least_of_best(self._returns, self.share)


def best(dataset: Any, share: float = 0.1) -> Best:
  """The best part of a data set: the share of its episodes with the highest undiscounted returns, ties included.

  It is for data sets in memory, and for several as one. Each pass reads all episodes; the returns are worked out in one
  pass when the first episode is read.

  Raises:
    UserError: for an RLDS data set, whose `Options(best=share)` read no others.
  """
  errors.in_range('share', share, above=0, high=1)
  if hasattr(dataset, 'options'):
    raise errors.UserError(
      f'This data set has options, which choose without reading the others in each pass: say datasets.Options(best='
      f'{share:g}) where it is opened, in the place of datasets.best.'
    )
  return Best(dataset, share)


def least_of_best(returns: Sequence[float], share: float) -> float:
  """The least return among the share of them that is highest.

  Raises:
    UserError: if one is NaN, which no other is above or below.
  """
  unknown = sum(map(math.isnan, returns))
  if unknown:
    raise errors.UserError(
      f'Of {errors.counted(unknown, "episode")} the return is NaN, so it is not known which are the best: leave such '
      "episodes out (--dataset.where 'return>-1e30'), or record them anew; `tfacme data DIR` names them."
    )
  return sorted(returns, reverse=True)[math.ceil(share * len(returns)) - 1]


def needs_steps(options: Options, metadata: Container[str]) -> bool:
  """Whether more has to be known of episodes than their metadata, which have these names."""
  if options.best is not None or options.episodes is not None:
    return True
  names = {Condition.of(text).name for text in options.where}
  return any(name in ('return', 'length') or name not in metadata for name in names)


def check_returns(options: Options, lacks: Container[str], name: str) -> None:
  """Raises a `UserError` if options choose by returns, and there are no rewards among what a data set lacks."""
  by_return = any(Condition.of(text).name == 'return' for text in options.where)
  if (by_return or options.best is not None) and 'reward' in lacks:
    raise errors.UserError(f'Episodes of {name} have no returns to choose by: its steps have no reward.')


def choose(facts: Iterable[Tuple[int, Mapping[str, Any]]], options: Options, name: str) -> List[int]:
  """The numbers of the episodes that options choose.

  Args:
    facts: (number, what is known of it: the metadata, and its 'return' and 'length' if `needs_steps`) of each episode,
      in order.
    options: what they have to fit.
    name: what the data set is called.

  Raises:
    UserError: if there is none, or fewer than asked for.
  """
  conditions = [Condition.of(text) for text in options.where]
  chosen: List[Tuple[int, float]] = []
  seen: Dict[str, List[Any]] = {condition.name: [] for condition in conditions}
  for number, known in facts:
    for field, values in seen.items():
      values.append(known.get(field))
    if all(condition.holds(known) for condition in conditions):
      chosen.append((number, known['return'] if options.best is not None else 0.0))
    if options.best is None and options.episodes == len(chosen):
      break
  if not chosen and any(seen.values()):
    found = ', and '.join(f'{field} is {_range(values)}' for field, values in seen.items())
    raise errors.UserError(f'No episode of {name} fits {" and ".join(options.where)}: of all, {found}.')
  if options.best is not None and chosen:
    least = least_of_best([one for _, one in chosen], options.best)
    chosen = [(number, one) for number, one in chosen if one >= least]
  if options.episodes is not None and len(chosen) < options.episodes:
    kind = ' that are chosen' if options.where or options.best is not None else ''
    raise errors.UserError(f'There are {len(chosen)} episodes{kind} in {name}, and {options.episodes} are asked for.')
  return [number for number, _ in chosen[: options.episodes]]


def _range(values: Sequence[Any]) -> str:
  """Between which numbers values are, or which ones there are."""
  if all(isinstance(value, (int, float, np.number)) for value in values):
    return f'from {min(values):g} to {max(values):g}'
  return errors.listed(sorted({str(value) for value in values}), most=8)
