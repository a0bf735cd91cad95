"""Episodes that go through wrappers of an environment: each is replayed, as an environment, within them."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Iterator, List, Optional, Sequence, Tuple

import dm_env
import numpy as np
import tree
from dm_env import specs as dm_specs

from tfacme import core, errors, specs
from tfacme.datasets import episodes as episodes_lib
from tfacme.datasets import several
from tfacme.environments.wrappers import base, single_precision

_Wrapper = Callable[[dm_env.Environment], dm_env.Environment]


@dataclasses.dataclass(frozen=True, eq=False)
class Wrapped:
  """Episodes as they would have been recorded through wrappers around the environment that they are from.

  Attributes:
    dataset: the episodes.
    environment_spec: of the environment that they are from.
    wrappers: the innermost first; each takes an environment and returns one that takes one step for each of its own.
  """

  dataset: Any
  environment_spec: specs.EnvironmentSpec
  wrappers: Tuple[_Wrapper, ...]

  def episodes(self, seed: int = 0) -> Iterator[core.Step]:
    """One pass over all episodes, in an order that is a function of the seed."""
    replayed, environment = self._wrap()
    actions = _outer_actions(environment, replayed)
    for episode in self.dataset.episodes(seed):
      yield _play(replayed, environment, actions, episode)

  def spec(self) -> core.Step:
    """The spec of one row."""
    row = core.step_spec(specs.environment_spec(self._wrap()[1]), self.dataset.spec().extras)
    return tree.map_structure(lambda leaf: dm_specs.Array(leaf.shape, leaf.dtype), row)

  @property
  def size(self) -> int:
    """How many episodes there are; 1 if that is not known."""
    return several.size(self.dataset)

  @property
  def block_bytes(self) -> int:
    """The size of the blocks of episodes over which their items are shuffled."""
    return several.block_bytes(self.dataset)

  @property
  def lacks(self) -> Sequence[str]:
    """What of its rows the data set does not say."""
    return getattr(self.dataset, 'lacks', ())

  def check(self) -> None:
    """Raises a `UserError` that names what is wrong with the data set, if anything is."""
    self.dataset.check()
    differs = difference(self.environment_spec, self.dataset.spec())
    if differs is not None:
      raise errors.UserError(differs)

  def _wrap(self) -> Tuple[_Replayed, dm_env.Environment]:
    replayed = _Replayed(self.environment_spec)
    environment: Any = replayed
    for wrapper in self.wrappers:
      environment = wrapper(environment)
    if not single_precision.is_single_precision(environment):
      environment = single_precision.SinglePrecision(environment)
    return replayed, environment


class _Replayed(dm_env.Environment):
  """A recorded episode as an environment, which takes no other actions than the recorded ones."""

  def __init__(self, spec: specs.EnvironmentSpec):
    self._spec = spec
    self._episode: Any = None
    self.row = 0

  def load(self, episode: core.Step) -> None:
    """Begins an episode."""
    self._observations = _in_shape(episode.observation, self._spec.observations)
    self._actions = _in_shape(episode.action, self._spec.actions)
    reward, discount = _scored(episode.reward, self._spec.rewards), _scored(episode.discount, self._spec.discounts)
    self._episode, self.row = episode._replace(reward=reward, discount=discount), 0

  def action(self, row: int) -> core.Nest:
    """The recorded action of a row."""
    return tree.unflatten_as(self._spec.actions, [leaf[row] for leaf in self._actions])

  def reset(self) -> dm_env.TimeStep:
    """The first observation."""
    self.row = 0
    return dm_env.restart(self._observe())

  def step(self, action: core.Nest) -> dm_env.TimeStep:
    """The next row, if this is the recorded action."""
    for given, taken in zip(tree.flatten(action), tree.flatten(self.action(self.row))):
      # Whole numbers are not rounded on their way, and their neighbours are other choices.
      same = np.isclose(given, taken, rtol=1e-3, atol=1e-3) if taken.dtype.kind == 'f' else given == taken
      if not np.all(same):
        raise errors.UserError(
          f'A wrapper of the environment takes the action {given} where {taken} was recorded, so the data can not be '
          'brought into the form of the environment; record it in the environment itself.'
        )
    reward, discount = self._episode.reward[self.row], self._episode.discount[self.row]
    self.row += 1
    kind = dm_env.StepType.LAST if self._episode.last[self.row] else dm_env.StepType.MID
    return dm_env.TimeStep(kind, reward, discount, self._observe())

  def observation_spec(self) -> Any:
    return self._spec.observations

  def action_spec(self) -> Any:
    return self._spec.actions

  def reward_spec(self) -> Any:
    return self._spec.rewards

  def discount_spec(self) -> Any:
    return self._spec.discounts

  def _observe(self) -> core.Nest:
    return tree.unflatten_as(self._spec.observations, [leaf[self.row] for leaf in self._observations])


def _in_shape(recorded: core.Nest, wanted: core.Nest) -> List[np.ndarray]:
  """The leaves of recorded rows [T, ...] that a spec has, in its order and shapes."""
  found = specs.paths(recorded)
  shaped = [(found[path], spec.shape) for path, spec in specs.paths(wanted).items()]
  return [leaf.reshape((len(leaf), *shape)) if leaf.shape[1:] != shape else leaf for leaf, shape in shaped]


def _scored(recorded: np.ndarray, spec: dm_specs.Array) -> np.ndarray:
  """Rewards or discounts [T, ...]; zeros where they are not of the spec's shape, so that nobody learns from them."""
  if not episodes_lib.alike(recorded.shape[1:], spec.shape):
    return np.zeros((len(recorded), *spec.shape), spec.dtype)
  return _in_shape(recorded, spec)[0]


def _outer_actions(environment: Any, replayed: _Replayed) -> List[Callable[[Any], Any]]:
  """The functions that take a recorded action outwards through the wrappers, one after the other."""
  functions: List[Callable[[Any], Any]] = []
  while environment is not replayed:
    inner = getattr(environment, '_environment', None)
    if inner is None or not (_says_actions(environment) or environment.action_spec() == inner.action_spec()):
      raise errors.UserError(
        f'The wrapper {type(environment).__name__} does not say how recorded actions come through it (`outer_action`), '
        'so the data can not be brought into the form of the environment; record it in the environment itself.'
      )
    functions.insert(0, environment.outer_action if _says_actions(environment) else lambda action: action)
    environment = inner
  return functions


def _says_actions(environment: Any) -> bool:
  """Whether a wrapper says how recorded actions come through it."""
  own = getattr(type(environment), 'outer_action', base.EnvironmentWrapper.outer_action)
  return own is not base.EnvironmentWrapper.outer_action


def _play(
  replayed: _Replayed, environment: Any, actions: Sequence[Callable[[Any], Any]], episode: core.Step
) -> core.Step:
  """An episode as it comes through wrappers; one that they cut short ends there."""
  replayed.load(episode)
  timestep, rows = environment.reset(), []
  while not timestep.last():
    action = replayed.action(len(rows))
    for function in actions:
      action = function(action)
    observation = tree.map_structure(np.array, timestep.observation)
    timestep = environment.step(action)
    if replayed.row != len(rows) + 1:
      raise errors.UserError(
        'A wrapper of the environment takes several steps for one of its own, so the data can not be brought into the '
        'form of the environment; record it in the environment itself.'
      )
    rows.append(core.Step(observation, action, timestep.reward, timestep.discount, not rows, False))
  final = tree.map_structure(np.zeros_like, rows[-1]._replace(first=np.bool_(False)))
  rows.append(final._replace(observation=tree.map_structure(np.array, timestep.observation), last=np.bool_(True)))
  extras = tree.map_structure(lambda leaf: leaf[: len(rows)], episode.extras)
  return episodes_lib.episode(rows)._replace(extras=extras)


def difference(spec: specs.EnvironmentSpec, row: core.Step, rewards: bool = True) -> Optional[str]:
  """What of recorded rows is not of an environment's shapes and types, in a sentence; None if all is.

  Parts are found by their names; recorded rows may have more of them than the environment.

  Args:
    spec: of the environment.
    row: the spec of a recorded row.
    rewards: whether rewards and discounts have to fit as well.
  """
  wanted = core.step_spec(spec)
  for name in ('observation', 'action', *(('reward', 'discount') if rewards else ())):
    ours, theirs = getattr(wanted, name), getattr(row, name)
    flat, recorded = specs.paths(ours), specs.paths(theirs)
    if not all(path in recorded and _becomes(recorded[path], flat[path], name) for path in flat):
      choices = any(
        specs.is_choice(leaf) and path in recorded and recorded[path].dtype.kind == 'f' for path, leaf in flat.items()
      )
      fix = ': choices have to be written as whole numbers, int32 say' if choices else ''
      theirs, ours = (tree.map_structure(lambda s: f'{s.dtype} {list(s.shape)}', nest) for nest in (theirs, ours))
      return f'The data set does not fit the environment: its {name} is {theirs}, and the environment has {ours}{fix}.'
  return None


def surplus(spec: specs.EnvironmentSpec, row: core.Step) -> List[str]:
  """The parts of recorded observations and actions that an environment does not have."""
  found = []
  for name, ours in (('observation', spec.observations), ('action', spec.actions)):
    more = specs.paths(getattr(row, name)).keys() - specs.paths(ours).keys()
    found += [f'{name}/{path}' for path in sorted(more)]
  return found


def nearest(spec: specs.EnvironmentSpec, row: core.Step) -> List[str]:
  """What `Options` may have to say for recorded rows to fit: 'observation state=observation/position'; [] if nothing.

  Each part that is missing has to have one field that it can be.
  """
  said = []
  for name, ours in (('observation', spec.observations), ('action', spec.actions)):
    flat, recorded = specs.paths(ours), specs.paths(getattr(row, name))
    missing = [path for path in flat if path not in recorded]
    free = [path for path in recorded if path not in flat]
    found = {part: [path for path in free if _becomes(recorded[path], flat[part], name)] for part in missing}
    if not missing or any(len(paths) != 1 for paths in found.values()):
      continue
    pairs = [f'{part}={name}/{path}' if part else f'{name}/{path}' for part, (path,) in found.items()]
    said.append(f'{name} {" ".join(pair.rstrip("/") for pair in pairs)}')
  return said


def _becomes(recorded: dm_specs.Array, wanted: dm_specs.Array, field: str) -> bool:
  """Whether recorded values of a field are those of a spec in all but precision and sides of one."""
  theirs, ours = np.dtype(recorded.dtype), np.dtype(wanted.dtype)
  same = np.can_cast(episodes_lib.single(theirs), ours) or theirs.kind == ours.kind == 'f'
  if field == 'action':  # A choice is no value on a scale, however small its type.
    same = same and (theirs.kind == 'f') == (ours.kind == 'f')
  return episodes_lib.alike(recorded.shape, wanted.shape) and same
