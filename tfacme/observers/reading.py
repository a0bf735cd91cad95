"""Observers of what an environment says beside its time steps."""

from __future__ import annotations

import math
import reprlib
from typing import Any, Callable, Dict, List, Mapping, Optional

from typing_extensions import Literal

from tfacme import errors

Over = Literal['last', 'sum', 'mean', 'minimum', 'maximum']
_OVER: Mapping[str, Callable[[List[float]], float]] = {
  'last': lambda values: values[-1],
  'sum': sum,
  'mean': lambda values: sum(values) / len(values),
  'minimum': min,
  'maximum': max,
}


class Reading:
  """A column of what a function reads from the environment after each step of an episode.

  An episode without any number, or with what is none, is NaN; evaluations leave it out of their mean.

  functools.partial(observers.Reading, 'success', lambda environment: environment.is_solved())
  """

  def __init__(self, column: str, read: Callable[[Any], Any], over: Over = 'last'):
    """Initializes the observer.

    Args:
      column: its name.
      read: from the environment to a number or a truth value; None where there is none at this step.
      over: what is made of those of an episode. Evaluations log the mean over their episodes.
    """
    if over not in _OVER:
      raise errors.unknown('way to sum up an episode', over, _OVER, f'there are {", ".join(_OVER)}.')
    self._column, self._read, self._over = column, read, over
    self._values: List[float] = []
    self._strange: Any = None  # what was read in the episode, and is no number

  def observe_first(self, environment: Any, timestep: Any) -> None:
    """Resets it; what the environment says before the first step is of no step."""
    del environment, timestep
    self._values, self._strange = [], None

  def observe(self, environment: Any, action: Any, timestep: Any) -> None:
    """Reads."""
    del action, timestep
    value = self._read(environment)
    if value is None:
      return
    try:
      self._values.append(float(value))
    except (TypeError, ValueError):
      self._strange = value

  def metrics(self) -> Dict[str, float]:
    """The number of the episode so far."""
    known = self._values and self._strange is None and not any(map(math.isnan, self._values))
    return {self._column: _OVER[self._over](self._values) if known else math.nan}

  def missing(self) -> str:
    """Why there is no number, as a phrase."""
    if self._strange is not None:
      return f'{reprlib.repr(self._strange)} was read, which is no number'
    return 'NaN was read' if self._values else self._nothing()

  def _nothing(self) -> str:
    return 'the function that reads it gave none in the whole episode'


class Info(Reading):
  """A column of a number in what Gymnasium calls `info`, such as `is_success`.

  functools.partial(observers.Info, 'is_success')
  """

  def __init__(self, key: str, over: Over = 'last', column: Optional[str] = None):
    """Initializes the observer.

    Args:
      key: in the `info`. Where a step has none, it is left out.
      over: what is made of those of an episode.
      column: its name; None is the key.
    """
    super().__init__(column or key, self._look, over)
    self._key = key
    self._seen: Dict[str, None] = {}  # all keys there were, for a warning

  def _look(self, environment: Any) -> Any:
    info = getattr(environment, 'info', None)
    if info is None:
      raise errors.UserError(
        f'The column {self._key} was to be of the info of an environment of Gymnasium, and this is none; read what it '
        'has by observers.Reading.'
      )
    self._seen.update(dict.fromkeys(map(str, info)))
    return info.get(self._key)

  def _nothing(self) -> str:
    seen = errors.listed(self._seen, most=10) if self._seen else 'nothing'
    return f'the info of the environment had no {self._key!r} in the whole episode; so far it had {seen}'
