"""The metadata of a recorded episode: what is known of it beside its steps, and where it is from."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import numbers
import time
from typing import Any, Counter, Dict, Mapping, Optional

import numpy as np

from tfacme import core, errors
from tfacme.datasets import episodes, examples

# What recordings write of each episode, with values as examples.
METADATA: Mapping[str, Any] = {
  'return': 0.0,
  'length': 0,
  'policy': '',
  'environment': '',
  'environment_options': '',
  'seed': 0,
  'run': '',
  'learner_steps': 0,
  'time': 0,
}
# And conversions: what data of others tell of that, which of their data sets it was, and from where it was read.
CONVERTED: Mapping[str, Any] = {'return': 0.0, 'length': 0, 'environment': '', 'dataset': '', 'source': ''}
_KINDS = ((bool, (bool, np.bool_)), (str, str), (int, numbers.Integral), (float, numbers.Real))
_DTYPES = {bool: np.dtype(np.bool_), int: np.dtype(np.int64), float: np.dtype(np.float32)}
_UNKNOWN: Mapping[str, Any] = {  # if so everywhere
  'policy': '',
  'environment': '',
  'environment_options': '',
  'run': '',
  'learner_steps': -1,
}
_EMPTY = {'environment_options': 'none'}  # what an empty text of a name is called, if not unknown
_TEXTS = 5  # that are told of one name


@dataclasses.dataclass(frozen=True)
class Origin:
  """Where episodes are from: what they are found by again (`--dataset.where 'policy=dqn'`).

  Attributes:
    policy: who acts: the name of an agent or of a function, 'random', or whatever a person is called.
    environment: its id.
    seed: of the environment and of the policy; of the actors of a run, that of the run.
    run: the folder of the run whose policy acts, or whose actors act; empty if there is none.
    environment_options: what the environment is made with beside its id, such as 'action_repeat=4'; empty if nothing.
  """

  policy: str = ''
  environment: str = ''
  seed: int = 0
  run: str = ''
  environment_options: str = ''

  @classmethod
  def of(cls, policy: str, make: Any, seed: int, run: str = '') -> Origin:
    """Of episodes in the environment that `make` makes; it has an id, or is called as that function."""
    name = getattr(make, 'id', None) or getattr(make, '__qualname__', type(make).__qualname__)
    options = getattr(getattr(make, 'options', None), 'changed', {})
    return cls(policy, name, seed, run, ' '.join(f'{option}={value}' for option, value in options.items()))


def metadata_of(
  steps: core.Step, origin: Origin, learner_steps: int = -1, now: Optional[float] = None
) -> Dict[str, Any]:
  """The metadata of an episode, by the names of `METADATA`.

  Args:
    steps: of the episode, with leaves [T + 1, ...].
    origin: of it.
    learner_steps: of the variables that acted in its first step, -1 if that is not known.
    now: seconds since 1970, of its end; None is the present.
  """
  return {
    **counts(steps),
    **dataclasses.asdict(origin),
    'learner_steps': learner_steps,
    'time': int(time.time() if now is None else now),
  }


def counts(steps: core.Step) -> Dict[str, Any]:
  """The return and the length of an episode with leaves [T + 1, ...]."""
  return {'return': episodes.return_of(steps.reward), 'length': len(steps.last) - 1}


def dtype(name: str, example: Any) -> Optional[np.dtype]:
  """The type in which values like an example are stored; None for texts.

  Raises:
    UserError: if they can't be.
  """
  if not name or '/' in name or name == 'steps':
    raise errors.UserError(f'Metadata of an episode can not be named {name!r}: rename it.')
  kind = next((kind for kind, kinds in _KINDS if isinstance(example, kinds)), None)
  if kind is None:
    raise errors.UserError(f'The metadata {name} is {example!r}, and has to be a text, a number or a boolean.')
  return _DTYPES.get(kind)


def columns(values: Mapping[str, Any], wanted: Mapping[str, Any]) -> Dict[str, examples.Column]:
  """Values as they are stored, for names with examples; raises a `UserError` unless they are like those."""
  if values.keys() != wanted.keys():
    raise errors.UserError(
      f'An episode comes with the metadata {errors.listed(values)}, and its writer was told of {errors.listed(wanted)}.'
    )
  stored: Dict[str, examples.Column] = {}
  for name, example in wanted.items():
    value, kind = values[name], dtype(name, example)
    given = dtype(name, value)
    if given != kind and not (kind == _DTYPES[float] and given == _DTYPES[int]):
      raise errors.UserError(f'The metadata {name} is {value!r}, and was to be like {example!r}.')
    stored[name] = [value.encode('utf-8')] if kind is None else np.asarray([value], kind)
  return stored


class MetadataSummary:
  """The metadata of several episodes, put together."""

  def __init__(self) -> None:
    self._texts: Dict[str, Counter[str]] = collections.defaultdict(collections.Counter)
    self._least: Dict[str, Any] = {}
    self._largest: Dict[str, Any] = {}

  def add(self, metadata: Mapping[str, Any]) -> None:
    """Takes in that of an episode; what is neither a text nor a single number is passed over."""
    for name, value in metadata.items():
      if isinstance(value, str):
        self._texts[name][value] += 1
      elif np.ndim(value) == 0 and np.asarray(value).dtype.kind in 'biuf':
        self._least[name] = min(self._least.get(name, value), value)
        self._largest[name] = max(self._largest.get(name, value), value)

  def plain(self) -> Dict[str, Any]:
    """{name: {text: episodes} or [least, largest]}, without what is not known of any episode."""
    found: Dict[str, Any] = {name: dict(counts.most_common()) for name, counts in self._texts.items()}
    for name, least in self._least.items():
      found[name] = [_python(least), _python(self._largest[name])]
    return {name: values for name, values in found.items() if set(values) != {_UNKNOWN.get(name)}}

  def words(self) -> Dict[str, str]:
    """{name: what there is, in words}."""
    return {name: _words(name, values) for name, values in self.plain().items()}


def _words(name: str, values: Any) -> str:
  if isinstance(values, dict):
    return errors.listed(
      (f'{text or _EMPTY.get(name, "unknown")} ({count:,})' for text, count in values.items()), most=_TEXTS
    )
  least, largest = (_number(name, value) for value in values)
  return least if least == largest else f'{least} to {largest}'


def _number(name: str, value: Any) -> str:
  if name == 'time' and value > 0:
    return datetime.datetime.fromtimestamp(value, datetime.timezone.utc).strftime('%Y-%m-%d %H:%M:%S UTC')
  return f'{value:.4g}' if isinstance(value, float) else str(value)


def _python(value: Any) -> Any:
  """A number as Python has it."""
  return value.item() if hasattr(value, 'item') else value
