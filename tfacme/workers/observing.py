"""Observers at their places: those of each environment of a node, and the columns that they make for its log."""

from __future__ import annotations

import logging
import math
import numbers
import reprlib
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple

import numpy as np

from tfacme import errors, mistakes
from tfacme.loggers import node_columns

_LOG = logging.getLogger('tfacme')
_METHODS = ('observe_first', 'observe', 'metrics')
_RETURN = 'episode_return'  # with what a reward of several parts and an evaluation add to it
# What else the logs of all actors and evaluations have: a run is resumed and plotted by some of it.
_ALWAYS = frozenset(
  (
    'actor_steps',
    'actor_episodes',
    'learner_steps',
    'variables_age',
    'evaluator_episodes',
    'evaluator_steps',
    'episode_length',
    'episodes_cut',
    'steps_per_second',
    'timestamp',
    *node_columns.COLUMNS,
  )
)
_ESTIMATED = frozenset(('fitted_q', 'fitted_q_change', 'fitted_q_loss'))


class Observers:
  """The observers of N environments.

  A column never ends a run, which would lose what came after its last checkpoint. All rows have the columns of the
  first one; a number that an episode lacks is NaN. A warning, one for each column, says what was amiss.

  Attributes:
    of: of each environment, the list of its own.
  """

  def __init__(self, name: str, makers: Sequence[Callable[[], Any]], slots: int):
    """Makes them.

    Args:
      name: whose they are, for warnings.
      makers: see `tfacme.observers`; each is called once for each environment.
      slots: how many environments there are.
    """
    self.of: List[List[Any]] = [[make() for make in makers] for _ in range(slots)]
    self._name = name
    self._columns: Optional[Tuple[str, ...]] = None
    self._told: Set[str] = set()

  def columns(self, slot: int) -> Dict[str, Any]:
    """Those of an environment's episode, which has ended or was cut off."""
    made: Dict[str, Any] = {}
    for observer in self.of[slot]:
      for column, value in observer.metrics().items():
        if _is_taken(column) or column in made:
          self._tell(column, 'is left out: it is in this log already')
        else:
          made[column] = self._number(column, value, observer)
    if self._columns is None:
      self._columns = tuple(made)
    for column in (column for column in made if column not in self._columns):
      self._tell(column, 'is left out: the first episode had none, and all rows of a log have the same columns')
    for column in (column for column in self._columns if column not in made):
      self._tell(column, 'is NaN in an episode for which its observer made none')
    return {column: made.get(column, math.nan) for column in self._columns}

  def _number(self, column: str, value: Any, observer: Any) -> Any:
    try:
      number = value if isinstance(value, numbers.Real) else float(value)
    except (TypeError, ValueError):
      self._tell(column, f'is NaN in an episode for which its observer made {reprlib.repr(value)}')
      return math.nan
    if math.isnan(number):
      missing = getattr(observer, 'missing', None)
      self._tell(column, f'is NaN in an episode{f": {missing()}" if missing else ""}')
    return number

  def _tell(self, column: str, what: str) -> None:
    if column not in self._told:
      self._told.add(column)
      _LOG.warning('%s: the column %s %s.', self._name, column, what)


def means(episodes: Sequence[Mapping[str, Any]]) -> Dict[str, float]:
  """The mean of each column over the episodes that have a number there; NaN if none has."""
  there = _there(episodes)
  return {column: float(sum(values) / len(values)) if values else math.nan for column, values in there.items()}


def standard_errors(episodes: Sequence[Mapping[str, Any]]) -> Dict[str, float]:
  """Those of the means; NaN if there are less than two numbers."""
  return {column: standard_error(values) for column, values in _there(episodes).items()}


def standard_error(values: Sequence[float]) -> float:
  """That of the mean of some values; NaN of less than two, which do not tell how much they vary."""
  return float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def _there(episodes: Sequence[Mapping[str, Any]]) -> Dict[str, List[float]]:
  """The numbers of each column."""
  every = {column: [float(episode[column]) for episode in episodes] for column in episodes[0]}
  return {column: [value for value in values if not math.isnan(value)] for column, values in every.items()}


def made(row: Mapping[str, Any]) -> Dict[str, Any]:
  """What observers and estimators have made of the row of an evaluation."""
  return {column: value for column, value in row.items() if not _is_always(column)}


def check(makers: Sequence[Callable[[], Any]]) -> None:
  """Raises a `UserError` unless what is made are observers, and all their columns have names of their own.

  One that says its columns only when it has seen an episode is believed.
  """
  found: Set[str] = set()
  for make in makers:
    with mistakes.told('An observer can not be made'):
      observer = make()
    lacks = [method for method in _METHODS if not callable(getattr(observer, method, None))]
    if lacks:
      raise errors.UserError(
        f'Among the observers is {mistakes.named(make)}, and what it makes is {reprlib.repr(observer)}, without the '
        f'method {lacks[0]}: see observers.Observer.'
      )
    for column in _columns(observer):
      if _is_taken(column):
        raise errors.UserError(f'An observer makes the column {column!r}, which these logs have already: rename it.')
      if column in found:
        raise errors.UserError(f'Two observers make the column {column!r}: rename it in one of them.')
      found.add(column)


def _columns(observer: Any) -> Sequence[str]:
  """The columns of an observer that has seen no episode."""
  try:
    made = observer.metrics()
  except Exception:  # It may not expect to be asked before an episode.
    return ()
  if not isinstance(made, Mapping):
    raise mistakes.returned(observer.metrics, made, 'a dict of columns')
  return tuple(made)


def _is_taken(column: str) -> bool:
  return column in _ESTIMATED or _is_always(column)


def _is_always(column: str) -> bool:
  return column in _ALWAYS or column.startswith(_RETURN)
