"""Recorded data in the form of an experiment's environment, by the wrappers that the environment has itself.

Data may have been recorded where some of the environment's outer wrappers were not: with raw actions, frames that are
not stacked, observations without the action before them. An episode is then replayed, as an environment, within those
wrappers.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Optional, Sequence, Tuple

import dm_env
import numpy as np

from tfacme import core, errors, specs
from tfacme.datasets import bounds, lacking, looking, metadata, ranges, several, wrapped
from tfacme.environments import registry

_LOG = logging.getLogger('tfacme')
_LOOKED_AT = 100  # episodes whose values tell of a data set that does not tell them itself
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


def fit(
  dataset: Any,
  environment: Any,
  spec: specs.EnvironmentSpec,
  rewards: bool = True,
  look: Optional[looking.Look] = None,
) -> Any:
  """A data set, checked, in the form of an environment.

  One that fits the environment is taken as it is. One that fits what is inside of outer wrappers of an
  `EnvironmentFactory` goes through those. That is seen by names, shapes, types and, for the scale of actions, by values
  beyond the environment's bounds. To say it oneself, give `datasets.Wrapped` in the data set's place.

  Args:
    dataset: to bring into the form.
    environment: what makes the environment.
    spec: of the environment.
    rewards: whether the agent learns from rewards and from how episodes end, so that the data have to have them.
    look: what was seen in a pass over all of it, in the place of a check.

  Raises:
    UserError: that says what differs, if that can't be done without guessing.
  """
  if isinstance(dataset, several.Several):
    parts = tuple(fit(part, environment, spec, rewards) for part in dataset.datasets)
    return dataclasses.replace(dataset, datasets=parts) if parts != dataset.datasets else dataset
  found = _found(dataset, look)
  lacking.check_rewards(getattr(dataset, 'lacks', ()) if rewards else (), found.name)
  row = dataset.spec()
  difference = wrapped.difference(spec, row, rewards)
  layers = environment.layers if isinstance(environment, registry.EnvironmentFactory) else ()
  reach = _reach(found)
  if difference is None and _contains(spec.actions, reach):
    if layers and _contains(spec.actions, reach, _NARROW):  # else it is on no narrower scale
      _warn_of_narrower(reach, row, environment, spec)
    _hold_against(spec, found, row)
    _warn_of_another(found, environment)
    return dataset
  for level in _levels(environment, layers):
    if wrapped.difference(level.spec, row, rewards) is None and _contains(level.spec.actions, reach):
      _hold_against(level.spec, found, row)
      through = wrapped.Wrapped(dataset, level.spec, level.wrappers)
      next(through.episodes(seed=0))  # Says so if it can't be done.
      _LOG.warning('The data set goes through %s.', level.names)
      _warn_of_another(found, environment, options=False)  # Those are why.
      return through
  if difference is None:
    raise errors.UserError(_outside(spec.actions, found))
  raise errors.UserError(_explained(difference, dataset, wrapped.nearest(spec, row)))


def _found(dataset: Any, look: Optional[looking.Look]) -> ranges.Ranges:
  """The ranges of a data set's values; raises a `UserError` if something is wrong with it."""
  found = dataset.check() if look is None else look.result()
  if found is None:
    some = itertools.islice(dataset.episodes(seed=0), _LOOKED_AT)
    found = ranges.of_episodes(some, 'the data set')
  return found


def _explained(difference: str, dataset: Any, nearest: Sequence[str]) -> str:
  """What differs, with what of the data was not read, and what may have to be said."""
  if hasattr(dataset, 'path'):  # It may be one of several.
    difference = difference.replace('The data set', f'The data set {dataset.path}', 1)
  left_out = getattr(dataset, 'left_out', ())
  if left_out:
    difference = f'{difference[:-1]} (not read of the data: {errors.listed(left_out)}).'
  said = ' '.join(f'--dataset.{one}' for one in nearest)
  return f'{difference[:-1]}; if it is there under another name, say {said}.' if said else difference


def _hold_against(spec: specs.EnvironmentSpec, found: ranges.Ranges, row: core.Step) -> None:
  """Holds values against those that an environment has: choices have to be among its own, of others it is said."""
  for field, nest in (('action', spec.actions), ('observation', spec.observations)):
    for fault in (*found.choices(nest, field), *found.too_large(nest, field)):
      raise errors.UserError(fault)
  for fault in found.beyond(spec.observations, 'observation'):
    _LOG.warning('%s', fault)
  _warn_of_units(_reach(found), spec.actions)
  more = wrapped.surplus(spec, row)
  if more:
    _LOG.warning('The environment has no %s: the data set has, and it is left out.', errors.listed(more))


def _levels(environment: Any, layers: Sequence[_Wrapper]) -> Iterator[_Level]:
  """What is inside of a factory's environment, the outermost first."""
  for count in reversed(range(len(layers))):
    yield _Level(specs.read_spec(environment.within(count), seed=0), tuple(layers[count:]))


def _warn_of_narrower(reach: _Reach, row: core.Step, environment: Any, spec: specs.EnvironmentSpec) -> None:
  """Says so if actions that fit the environment fit a narrower scale inside of it as well."""
  leaves = specs.paths(spec.actions)
  widest = {path: (leaf.minimum, leaf.maximum) if bounds.is_scale(leaf) else None for path, leaf in leaves.items()}
  for level in _levels(environment, environment.layers):
    actions = level.spec.actions
    if wrapped.difference(level.spec, row) is None and _contains(actions, reach) and not _contains(actions, widest):
      _LOG.warning(
        'The actions of the data set are taken as they are, and may as well be those of the environment without %s; '
        'give datasets.Wrapped if they are.',
        level.names,
      )
      return


def _warn_of_units(reach: _Reach, action_spec: Any) -> None:
  """Says so if actions reach just from -1 to 1 where an environment's reach further: they may have been scaled."""
  for path, spec in specs.paths(action_spec).items():
    if path not in reach or not bounds.is_scale(spec):
      continue
    (least, largest), low, high = reach[path], np.min(spec.minimum), np.max(spec.maximum)
    if np.all(least == -1) and np.all(largest == 1) and low < -1 and high > 1:
      _LOG.warning(
        'The actions of the data set reach just from -1 to 1, and are taken as they are, where those of the '
        'environment reach from %g to %g; if they were scaled, make the environment so (--env.canonical-action True).',
        low,
        high,
      )


def _warn_of_another(found: ranges.Ranges, environment: Any, options: bool = True) -> None:
  """Says so if the data tell of another environment, or of other options, than those of a factory."""
  if not isinstance(environment, registry.EnvironmentFactory):
    return
  own = metadata.Origin.of('', environment, seed=0)
  called = lambda name, said: f'{name} with {said}' if said else name
  others = [
    called(name, said)
    for name, said in found.environments
    if name != own.environment or (options and said not in (None, own.environment_options))
  ]
  if others:
    _LOG.warning(
      'The data set was recorded in %s, and the environment is %s: what differs in no shape and no range of values is '
      'taken as it is.',
      errors.listed(others),
      called(own.environment, own.environment_options),
    )


def _name(wrapper: Any) -> str:
  wrapper = getattr(wrapper, 'func', wrapper)  # of a partial function
  return getattr(wrapper, '__name__', type(wrapper).__name__)


def _reach(found: ranges.Ranges) -> _Reach:
  """The least and the largest of each action, by its path in an action."""
  known = {path.partition('/')[2]: one for path, one in found.fields.items() if path.partition('/')[0] == 'action'}
  return {path: (one.least, one.largest) for path, one in known.items()}


def _contains(action_spec: Any, reach: _Reach, share: float = 1.0) -> bool:
  """Whether actions lie within the bounds of a spec, or within a share of them; where there are bounds of a scale."""
  return all(_is_within(spec, reach.get(path), share) for path, spec in specs.paths(action_spec).items())


def _is_within(spec: Any, own: Optional[Tuple[Any, Any]], share: float = 1.0) -> bool:
  return own is None or not bounds.is_scale(spec) or not any(bounds.beyond(spec, *own, share))


def _outside(action_spec: Any, found: ranges.Ranges) -> str:
  """What is wrong with actions that do not lie within the bounds of a spec."""
  reach = _reach(found)
  for path, spec in specs.paths(action_spec).items():
    own = reach.get(path)
    if own is not None and not _is_within(spec, own):
      stray = bounds.farthest(spec, *own)
      place = found.fields[f'action/{path}'.rstrip('/')].place_of(stray.value())
      return bounds.other_scale(stray, found.name, found.where(place, named=False) if place else '')
  raise AssertionError('All actions lie within their bounds.')
