"""Parts of a data set."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, Iterator

import numpy as np

from tfacme import core, errors


@dataclasses.dataclass(frozen=True)
class Best:
  """The episodes of a data set with the highest returns; see `best`."""

  dataset: Any
  share: float

  def episodes(self, seed: int = 0) -> Iterator[core.Step]:
    """One pass over the best episodes, in an order that is a function of the seed."""
    return (episode for episode in self.dataset.episodes(seed) if _return(episode) >= self._least)

  def spec(self) -> core.Step:
    """The spec of one row."""
    return self.dataset.spec()

  def check(self) -> None:
    """Raises a `UserError` that names what is wrong with the data set, if anything is."""
    self.dataset.check()

  @functools.cached_property
  def _least(self) -> float:
    returns = sorted(map(_return, self.dataset.episodes(seed=0)), reverse=True)
    if not returns:
      raise errors.UserError('The data set has no episode, so none is the best.')
    return returns[math.ceil(self.share * len(returns)) - 1]


def best(dataset: Any, share: float = 0.1) -> Best:
  """The best part of a data set: the share of its episodes with the highest undiscounted returns, ties included.

  The returns are worked out in one pass when the first episode is read.
  """
  errors.in_range('share', share, above=0, high=1)
  return Best(dataset, share)


def _return(episode: core.Step) -> float:
  return float(np.sum(episode.reward[:-1]))
