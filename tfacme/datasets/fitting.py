"""Recorded data in the form of an experiment's environment, by the wrappers that the environment has itself.

Data may have been recorded where some of the environment's outer wrappers were not: with raw actions, frames that are
not stacked, observations without the action before them. An episode is then replayed, as an environment, within those
wrappers.
"""

from __future__ import annotations

import itertools
import logging
from typing import Any, Callable, Dict, Iterator, Mapping, NamedTuple, Optional, Sequence, Tuple

import dm_env
import numpy as np
from dm_env import specs as dm_specs

from tfacme import core, errors, specs
from tfacme.datasets import wrapped
from tfacme.environments import registry

_LOG = logging.getLogger('tfacme')
_LOOKED_AT = 100  # episodes whose actions tell on which scale a data set is
_SLACK = 1e-4  # of the width of an action's bounds, which rounding may have put a recorded one beyond
_NARROW = 0.9  # of the bounds: actions that go further use the scale as it is

_Reach = Mapping[str, Optional[Tuple[Any, Any]]]  # (least, largest) of each leaf of an action, by its path
_Wrapper = Callable[[dm_env.Environment], dm_env.Environment]


class _Level(NamedTuple):
  """An environment, and the wrappers that are still to come around it."""

  spec: specs.EnvironmentSpec
  wrappers: Tuple[_Wrapper, ...]

  @property
  def names(self) -> str:
    """Those wrappers, in words."""
    return ' and '.join(map(_name, self.wrappers))


def fit(dataset: Any, environment: Any, spec: specs.EnvironmentSpec) -> Any:
  """A data set, checked, in the form of an environment.

  One that fits the environment is taken as it is. One that fits what is inside of outer wrappers of an
  `EnvironmentFactory` goes through those. That is seen by shapes, types and, for the scale of actions, by values
  beyond the environment's bounds. To say it oneself, give `datasets.Wrapped` in the data set's place.

  Args:
    dataset: to bring into the form.
    environment: what makes the environment.
    spec: of the environment.

  Raises:
    UserError: that says what differs, if that can't be done without guessing.
  """
  dataset.check()
  row = dataset.spec()
  difference = wrapped.difference(spec, row)
  layers = environment.layers if isinstance(environment, registry.EnvironmentFactory) else ()
  reach = _reach(dataset)
  if difference is None and _contains(spec.actions, reach):
    if layers and _contains(spec.actions, reach, _NARROW):  # else it is on no narrower scale
      _warn_of_narrower(reach, row, environment, spec)
    return dataset
  for level in _levels(environment, layers):
    if wrapped.difference(level.spec, row) is None and _contains(level.spec.actions, reach):
      through = wrapped.Wrapped(dataset, level.spec, level.wrappers)
      next(through.episodes(seed=0))  # Says so if it can't be done.
      _LOG.warning('The data set goes through %s.', level.names)
      return through
  if difference is not None:
    raise errors.UserError(difference)
  raise errors.UserError(_outside(spec.actions, reach))


def _levels(environment: Any, layers: Sequence[_Wrapper]) -> Iterator[_Level]:
  """What is inside of a factory's environment, the outermost first."""
  for count in reversed(range(len(layers))):
    yield _Level(specs.read_spec(environment.within(count), seed=0), tuple(layers[count:]))


def _warn_of_narrower(reach: _Reach, row: core.Step, environment: Any, spec: specs.EnvironmentSpec) -> None:
  """Says so if actions that fit the environment fit a narrower scale inside of it as well."""
  leaves = specs.paths(spec.actions)
  widest = {path: (leaf.minimum, leaf.maximum) if _is_scale(leaf) else None for path, leaf in leaves.items()}
  for level in _levels(environment, environment.layers):
    actions = level.spec.actions
    if wrapped.difference(level.spec, row) is None and _contains(actions, reach) and not _contains(actions, widest):
      _LOG.warning(
        'The actions of the data set are taken as they are, and may as well be those of the environment without %s; '
        'give datasets.Wrapped if they are.',
        level.names,
      )
      return


def _name(wrapper: Any) -> str:
  wrapper = getattr(wrapper, 'func', wrapper)  # of a partial function
  return getattr(wrapper, '__name__', type(wrapper).__name__)


def _reach(dataset: Any) -> _Reach:
  """The least and the largest of each action of some episodes."""
  reach: Dict[str, Any] = {}
  for episode in itertools.islice(dataset.episodes(seed=0), _LOOKED_AT):
    for path, leaf in specs.paths(episode.action).items():
      least, largest = leaf[:-1].min(axis=0), leaf[:-1].max(axis=0)  # The last row has none.
      before = reach.get(path, (least, largest))
      reach[path] = np.minimum(before[0], least), np.maximum(before[1], largest)
  return reach


def _contains(action_spec: Any, reach: _Reach, share: float = 1.0) -> bool:
  """Whether actions lie within the bounds of a spec, or within a share of them; where there are bounds of a scale."""
  return all(_is_within(spec, reach[path], share) for path, spec in specs.paths(action_spec).items())


def _is_within(spec: Any, own: Optional[Tuple[Any, Any]], share: float = 1.0) -> bool:
  if own is None or not _is_scale(spec):
    return True
  middle, half = (spec.minimum + spec.maximum) / 2, (share + _SLACK) * (spec.maximum - spec.minimum) / 2
  return not ((own[0] < middle - half).any() or (own[1] > middle + half).any())


def _outside(action_spec: Any, reach: _Reach) -> str:
  """What is wrong with actions that do not lie within the bounds of a spec."""
  for path, spec in specs.paths(action_spec).items():
    own = reach[path]
    if own is not None and not _is_within(spec, own):
      (least, largest), low, high = own, np.min(spec.minimum), np.max(spec.maximum)
      return (
        f'The actions of the data set reach from {np.min(least):g} to {np.max(largest):g}, and those of the '
        f'environment from {low:g} to {high:g}: they were recorded on another scale; bring them onto this one, or '
        'give an environment with the wrappers that they were recorded within.'
      )
  raise AssertionError('All actions lie within their bounds.')


def _is_scale(spec: dm_specs.Array) -> bool:
  bounded = isinstance(spec, dm_specs.BoundedArray) and spec.dtype.kind == 'f'
  return bounded and bool(np.isfinite(spec.minimum).all() and np.isfinite(spec.maximum).all())
