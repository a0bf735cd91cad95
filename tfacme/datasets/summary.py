"""What is in a data set, in numbers: one pass over its episodes, of which a few numbers each are kept."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Tuple

import numpy as np
from dm_env import specs as dm_specs

from tfacme import core, errors, specs
from tfacme.datasets import bounds, ends
from tfacme.datasets import episodes as episodes_lib

_BLOCK = 1 << 20  # numbers that are turned into double precision at once
_BINS = 10
_LIKE_A_LIMIT = 50  # steps of an episode that may be a limit; many a game is over after fewer


@dataclasses.dataclass(frozen=True)
class Field:
  """The values of one leaf of the rows, over all episodes; of all but observations without the final row.

  Attributes:
    shape: of the leaf in one row.
    dtype: of its values.
    minimum: the least finite value of each of its numbers, [*shape]; infinity where there is none.
    maximum: the largest finite ones.
    mean: of all finite numbers; NaN if there are none.
    deviation: their standard deviation.
    strange_rows: in how many rows there is a NaN or an infinity.
    strange_episodes: and in how many episodes.
  """

  shape: Tuple[int, ...]
  dtype: np.dtype
  minimum: np.ndarray
  maximum: np.ndarray
  mean: float
  deviation: float
  strange_rows: int
  strange_episodes: int

  @property
  def least(self) -> float:
    """The least finite value of all its numbers; NaN if there is none."""
    return _finite(np.min(self.minimum, initial=np.inf))

  @property
  def largest(self) -> float:
    """The largest finite value of all its numbers; NaN if there is none."""
    return _finite(np.max(self.maximum, initial=-np.inf))


@dataclasses.dataclass(frozen=True)
class Summary:
  """What is in a data set.

  Attributes:
    returns: float64 [episodes], the sum of all parts of the reward.
    lengths: int64 [episodes], transitions.
    terminated: bool [episodes], whether its last discount is 0; else it was truncated.
    standing: bool [episodes], whether its final observation is the one before it once more.
    fields: {name: the values of a leaf of the rows}, such as 'observation/position'.
  """

  returns: np.ndarray
  lengths: np.ndarray
  terminated: np.ndarray
  standing: np.ndarray
  fields: Mapping[str, Field]

  @property
  def episodes(self) -> int:
    """How many there are."""
    return len(self.returns)

  @property
  def steps(self) -> int:
    """Transitions of all episodes."""
    return int(self.lengths.sum())

  @property
  def cut(self) -> int:
    """How many episodes look cut: truncated earlier than the longest of all ends.

    A limit of steps truncates all episodes at one length; what ends before it, and not by a termination, was mostly
    ended by whoever recorded or cut the data.
    """
    return int((~self.terminated & (self.lengths < self.lengths.max())).sum())


def summarize(episodes: Iterable[core.Step]) -> Summary:
  """Looks at all episodes, each a `core.Step` with leaves [T + 1, ...], one after the other.

  Raises:
    UserError: if there is none.
  """
  returns, lengths, terminated, standing = [], [], [], []
  fields: Dict[str, _Values] = {}
  for episode in episodes:
    returns.append(episodes_lib.return_of(episode.reward))
    lengths.append(len(episode.last) - 1)
    terminated.append(not np.any(episode.discount[-2]))
    observations = specs.paths(episode.observation).values()
    standing.append(all(np.array_equal(leaf[-1], leaf[-2]) for leaf in observations))
    for name, values in _leaves(episode):
      if values.dtype.kind in 'biuf':  # and no text
        fields.setdefault(name, _Values(values)).add(values)
  if not returns:
    raise errors.UserError('The data set has no episode with a transition.')
  return Summary(
    np.array(returns),
    np.array(lengths, np.int64),
    np.array(terminated),
    np.array(standing),
    {name: values.field() for name, values in fields.items()},
  )


def histogram(values: np.ndarray) -> List[Tuple[float, float, int]]:
  """(from, to, how many) of ten equal parts of the range of finite values [n]; one part if all are the same."""
  values = values[np.isfinite(values)]
  if not len(values):
    return []
  if values.min() == values.max():
    return [(float(values.min()), float(values.max()), len(values))]
  counts, edges = np.histogram(values, _BINS)
  return [(float(low), float(high), int(count)) for low, high, count in zip(edges, edges[1:], counts)]


def findings(summary: Summary, ends_told: bool = False) -> List[str]:
  """What of a data set makes one look twice, in sentences; `ends_told` is whether its reader was told how they end."""
  found = []
  for name, field in summary.fields.items():
    if field.strange_rows:
      found.append(
        f'{name} is NaN or infinite in {_counted(field.strange_rows, "row")} of '
        f'{_counted(field.strange_episodes, "episode")}: nothing can be learned from that.'
      )
  if summary.cut:
    found.append(
      f'{_counted(summary.cut, "episode")} may be cut: truncated before {summary.lengths.max():,} steps, which others '
      'reach, without a termination.'
    )
  alike = summary.episodes > 1 and summary.lengths.min() == summary.lengths.max()
  if alike and not ends_told and summary.terminated.all() and summary.lengths[0] >= _LIKE_A_LIMIT:
    found.append(
      f'All episodes terminate after {summary.lengths[0]:,} steps: if that is a limit of steps, and no end of the '
      'task, say --dataset.ends truncated.'
    )
  standing = int((summary.standing & ~summary.terminated).sum())
  if standing:
    found.append(
      f'{_counted(standing, "truncated episode")} may lack the final observation: it is the one before it once more.'
    )
  reward, discount = summary.fields['reward'], summary.fields['discount']
  if reward.least == reward.largest == 0:
    found.append('Every reward is 0.')
  if discount.least < 0 or discount.largest > 1:
    found.append(f'Discounts are from {discount.least:g} to {discount.largest:g}, and have to lie between 0 and 1.')
  return found


def against(summary: Summary, spec: specs.EnvironmentSpec) -> Dict[str, str]:
  """{field: how it lies to an environment's bounds, in words}, of fields for which the environment has bounds."""
  words = {}
  for name, leaf in _leaves(core.step_spec(spec)):
    field = summary.fields.get(name)
    if isinstance(leaf, dm_specs.BoundedArray) and field is not None and field.shape == tuple(leaf.shape):
      if np.isfinite(leaf.minimum).any() or np.isfinite(leaf.maximum).any():
        if any(bounds.beyond(leaf, field.minimum, field.maximum)):
          stray = bounds.farthest(leaf, field.minimum, field.maximum)
          words[name] = f'beyond {_bounds(stray.low, stray.high)}{f" in{stray.name}" if stray.name else ""}'
        else:
          words[name] = f'within {_bounds(np.min(leaf.minimum), np.max(leaf.maximum))}{_unused(name, field, leaf)}'
  return words


def _unused(name: str, field: Field, spec: dm_specs.BoundedArray) -> str:
  """Whether actions keep to the inner half of their bounds, as those of another scale do."""
  if name.partition('/')[0] != 'action' or not bounds.is_scale(spec):
    return ''
  low, high = np.asarray(spec.minimum, np.float64), np.asarray(spec.maximum, np.float64)
  reach = np.maximum(field.maximum - (low + high) / 2, (low + high) / 2 - field.minimum)
  inner = (reach <= (1 + 1e-6) * (high - low) / 4).all()
  return ', and in the inner half of it' if inner else ''


def _bounds(low: float, high: float) -> str:
  return f'{low:g} to {high:g}' if np.isfinite([low, high]).all() else 'its bounds'


class _Values:
  """The values of one leaf, as they come in."""

  def __init__(self, values: np.ndarray):
    self._shape, self._dtype = values.shape[1:], values.dtype
    self._minimum, self._maximum = np.full(self._shape, np.inf), np.full(self._shape, -np.inf)
    self._count, self._mean, self._squares = 0, 0.0, 0.0  # the squares are of distances from the mean
    self._strange_rows = self._strange_episodes = 0

  def add(self, values: np.ndarray) -> None:
    """Those of an episode, [T, *shape]."""
    strange_rows = 0
    rows = max(1, _BLOCK // max(1, int(np.prod(self._shape))))
    for start in range(0, len(values), rows):
      strange_rows += self._add(values[start : start + rows])
    self._strange_rows += strange_rows
    self._strange_episodes += strange_rows > 0

  def field(self) -> Field:
    """What they are."""
    known = self._count > 0
    return Field(
      self._shape,
      self._dtype,
      self._minimum,
      self._maximum,
      self._mean if known else float('nan'),
      float(np.sqrt(self._squares / self._count)) if known else float('nan'),
      self._strange_rows,
      self._strange_episodes,
    )

  def _add(self, values: np.ndarray) -> int:
    """A block of rows; how many of them hold what is not finite."""
    numbers = values.astype(np.float64)
    finite = np.isfinite(numbers)
    whole = bool(finite.all())
    low, high = (numbers, numbers) if whole else (np.where(finite, numbers, end) for end in (np.inf, -np.inf))
    self._minimum = np.minimum(self._minimum, low.min(axis=0))
    self._maximum = np.maximum(self._maximum, high.max(axis=0))
    self._merge(numbers.ravel() if whole else numbers[finite])
    return 0 if whole else int((~finite.reshape(len(finite), -1).all(axis=1)).sum())

  def _merge(self, numbers: np.ndarray) -> None:
    """Chan, Golub and LeVeque's way to put mean and squares of two parts together."""
    if not numbers.size:
      return
    count, mean = self._count + numbers.size, float(numbers.mean())
    distance = mean - self._mean
    self._squares += float(np.square(numbers - mean).sum()) + distance**2 * self._count * numbers.size / count
    self._mean += distance * numbers.size / count
    self._count = count


def _leaves(step: core.Step) -> Iterator[Tuple[str, Any]]:
  """(name, values without the row of the final observation where they mean nothing) of each leaf; specs as they are."""
  for name in ends.FIELDS:
    for path, leaf in specs.paths(getattr(step, name)).items():
      in_rows = isinstance(leaf, np.ndarray) and name != 'observation'
      yield f'{name}/{path}' if path else name, leaf[:-1] if in_rows else leaf


def _finite(value: Any) -> float:
  return float(value) if np.isfinite(value) else float('nan')


def _counted(count: int, what: str) -> str:
  return f'{count:,} {what}{"" if count == 1 else "s"}'
