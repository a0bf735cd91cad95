"""What values the fields of a data set have, found in one pass: for a look at it, and for what can't be learned from.

    ranges = Ranges('the data set DIR')
    for number, episode in enumerate(episodes):
      ranges.add(number, leaves(episode))
    ranges.check()             # one sentence if there is a NaN, or an illegal action
    ranges.fields['action']    # the least and the largest, and where they are

Nothing is raised but by `check`: what `faults` says may as well be counted, or shown.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple

import numpy as np
from dm_env import specs as dm_specs

from tfacme import core, errors, specs
from tfacme.datasets import bounds, illegal

LEARNED = ('observation', 'action', 'reward', 'discount')


@dataclasses.dataclass(frozen=True)
class Place:
  """A value, and where it is.

  Attributes:
    value: the value.
    episode: its number, None if that is not known.
    row: of the episode.
  """

  value: Any
  episode: Optional[int]
  row: int


@dataclasses.dataclass
class Range:
  """The values of a leaf.

  Attributes:
    least: of each of its numbers, [*shape]; of finite values.
    largest: likewise.
    lowest: the least of all, and where it is first.
    highest: the largest of all.
    strange: how many rows have a value that is not finite.
    first_strange: the first of those values.
  """

  least: Any
  largest: Any
  lowest: Place
  highest: Place
  strange: int = 0
  first_strange: Optional[Place] = None

  def place_of(self, value: float) -> Optional[Place]:
    """Where a value is, as far as it is known: of the largest and of the least of all."""
    return next((place for place in (self.highest, self.lowest) if place.value == value), None)


class Ranges:
  """The ranges of all fields, by their paths in a row: observation/position."""

  def __init__(self, name: str, action_spec: Any = None):
    """Initializes the ranges.

    Args:
      name: what the data set is called in sentences.
      action_spec: of an environment, by which the masks of several choices at once are read; None leaves those out.
    """
    self.name = name
    self._action_spec = action_spec
    self._illegal: Dict[str, Tuple[Optional[int], illegal.Illegal]] = {}  # {path of an action: (episode, the first)}
    self.fields: Dict[str, Range] = {}
    self.episodes = 0
    self.transitions = 0
    self.environments: Dict[Tuple[str, Optional[str]], None] = {}  # (id, options, None if not known) that data tell of

  def add(self, number: Optional[int], leaves: Mapping[str, np.ndarray], row: int = 0) -> None:
    """Takes in the leaves of an episode, [T + 1, ...]; the last row counts of observations alone.

    Args:
      number: of the episode.
      leaves: by their paths; numbers that are learned from, others are passed over.
      row: the number of the first row.
    """
    self.episodes += 1
    self.transitions += len(leaves['discount']) - 1
    for path, values in leaves.items():
      field = path.partition('/')[0]
      if field in LEARNED and values.dtype.kind in 'biuf' and values.size:
        self._add(path, number, values if field == 'observation' else values[:-1], row)
    for path, one in illegal.in_leaves(leaves, self._action_spec).items():
      self._illegal.setdefault(path, (number, one._replace(row=row + one.row)))

  def where(self, place: Place, named: bool = True) -> str:
    """A place in words, with the name of the data set or without."""
    episode = f'episode {place.episode}' if place.episode is not None else 'an episode'
    return f'row {place.row} of {episode}{f" of {self.name}" if named else ""}'

  def faults(self) -> Iterator[str]:
    """What nobody can learn from, in sentences."""
    for path, found in self.fields.items():
      if found.first_strange is not None:
        yield (
          f'In {self.where(found.first_strange)}, {path} is {found.first_strange.value}, and nothing can be learned '
          'from that: leave the episode out, or record it anew.'
        )
    discount = self.fields.get('discount')
    if discount is not None and (discount.lowest.value < 0 or discount.highest.value > 1):
      place = discount.lowest if discount.lowest.value < 0 else discount.highest
      yield (
        f'In {self.where(place)} the discount is {place.value:g}, among discounts from {discount.lowest.value:g} to '
        f'{discount.highest.value:g}, and they have to lie between 0 and 1.'
      )
    yield from self.illegal()

  def illegal(self) -> Iterator[str]:
    """The first action of each kind that is illegal by the mask of its own row, in sentences."""
    for path, (number, one) in self._illegal.items():
      yield one.told(path, self.where(Place(one.value, number, one.row)))

  def check(self) -> None:
    """Raises a `UserError` for the first of `faults`."""
    for fault in self.faults():
      raise errors.UserError(fault)

  def choices(self, nest: Any, field: str) -> Iterator[str]:
    """Where values are none of an environment's choices, in sentences.

    Args:
      nest: of specs, of the environment's observations or actions.
      field: 'observation' or 'action'.
    """
    for path, spec in specs.paths(nest).items():
      found = self.fields.get(f'{field}/{path}' if path else field)
      if found is None or not specs.is_choice(spec):
        continue
      most = np.broadcast_to(spec.num_values, np.shape(found.largest))
      if found.lowest.value < 0 or (found.largest >= most).any():
        place = found.lowest if found.lowest.value < 0 else found.highest
        yield (
          f'In {self.where(place)} the {field} is {place.value}, and the environment has those from 0 to '
          f'{np.max(most) - 1}: it was recorded in another environment.'
        )

  def too_large(self, nest: Any, field: str) -> Iterator[str]:
    """Where whole numbers are none of the type that an environment has, in sentences; see `choices`."""
    for path, spec in specs.paths(nest).items():
      found = self.fields.get(f'{field}/{path}' if path else field)
      if found is None or spec.dtype.kind not in 'iu' or np.dtype(type(found.lowest.value)).kind not in 'iu':
        continue
      limits = np.iinfo(spec.dtype)
      place = found.lowest if found.lowest.value < limits.min else found.highest
      if not limits.min <= place.value <= limits.max:
        yield (
          f'In {self.where(place)} the {f"{field} {path}".rstrip()} is {place.value}, and the environment has '
          f'{spec.dtype}, which does not hold that: it was recorded in another environment.'
        )

  def beyond(self, nest: Any, field: str) -> Iterator[str]:
    """Where values lie beyond an environment's bounds by more than rounding, in sentences; see `choices`."""
    for path, spec in specs.paths(nest).items():
      found = self.fields.get(f'{field}/{path}' if path else field)
      if found is None or specs.is_choice(spec) or not isinstance(spec, dm_specs.BoundedArray):
        continue
      below, above = bounds.beyond(spec, found.least, found.largest)
      if below or above:
        stray = bounds.farthest(spec, found.least, found.largest)
        place = found.place_of(stray.value())
        yield (
          f'The {f"{field} {path}".rstrip()}{stray.name} reaches from {stray.least:g} to {stray.largest:g}'
          f'{f" (in {self.where(place)})" if place else ""}: the bounds of the environment are {stray.low:g} to '
          f'{stray.high:g}.'
        )

  def _add(self, path: str, number: Optional[int], values: np.ndarray, row: int) -> None:
    if not len(values):
      return
    strange, first_strange = 0, None
    if not surely_finite(values):
      finite = np.isfinite(values)
      rows = np.flatnonzero(~finite.reshape(len(values), -1).all(axis=1))
      if len(rows):
        strange, at = len(rows), tuple(np.argwhere(~finite)[0])
        first_strange = Place(values[at], number, row + int(at[0]))
        least = np.where(finite, values, np.inf).min(axis=0)
        largest = np.where(finite, values, -np.inf).max(axis=0)
    if not strange:
      least, largest = values.min(axis=0), values.max(axis=0)
    known = self.fields.get(path)
    if known is None:
      known = Range(least, largest, Place(np.inf, None, 0), Place(-np.inf, None, 0))
      self.fields[path] = known
    known.strange += strange
    known.first_strange = known.first_strange or first_strange
    known.least, known.largest = np.minimum(known.least, least), np.maximum(known.largest, largest)
    if least.min() < known.lowest.value:
      known.lowest = Place(least.min(), number, row + _row(values, least.min()))
    if largest.max() > known.highest.value:
      known.highest = Place(largest.max(), number, row + _row(values, largest.max()))


def surely_finite(values: np.ndarray) -> bool:
  """Whether no value can be a NaN or an infinity. A sum is finite only if all parts are; it may also be too large."""
  return values.dtype.kind != 'f' or bool(np.isfinite(np.add.reduce(values, axis=None)))


def strange_at(values: np.ndarray) -> Optional[Tuple[int, ...]]:
  """Where in an array the first NaN or infinity is; None if there is none."""
  if surely_finite(values):
    return None
  strange = np.argwhere(~np.isfinite(values))
  return tuple(strange[0].tolist()) if len(strange) else None


def of_episodes(episodes: Any, name: str) -> Ranges:
  """The ranges of episodes whose numbers are not known."""
  ranges = Ranges(name)
  for episode in episodes:
    ranges.add(None, leaves(episode))
  return ranges


def leaves(episode: core.Step) -> Dict[str, np.ndarray]:
  """The leaves of an episode by their paths."""
  return {path: np.asarray(leaf) for path, leaf in specs.paths(episode).items()}


def _row(values: np.ndarray, value: Any) -> int:
  """The first row with a value."""
  return int(np.flatnonzero((values == value).reshape(len(values), -1).any(axis=1))[0])
