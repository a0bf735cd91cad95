"""What environments and streams look like.

What an environment's specs have to say, for agents, replay and default networks to take it for what it is:
- Observations and actions are nests (dicts, tuples, lists, named tuples) of `dm_env.specs.Array`s. Wherever a nest is
  flattened, the parts of a dict are in the order of their keys.
- All of it is numbers: booleans, integers and real numbers of at most 8 bytes. `environments.factory` brings them into
  single precision; of integers only those that fit.
- A choice among n values is a `DiscreteArray`, several at once are a `MultiDiscreteArray`, and all count from 0. An
  integer that is a quantity is an `Array` or a `BoundedArray`, with bounds if it has any. The types tell the two apart:
  choices go into networks as one-hot vectors, quantities as numbers.
- Actions that are real numbers have finite bounds: a `BoundedArray`.
- Images are [H, W, C], or [C, H, W] where that can't be mistaken (`has_channels_first`).
- Which actions are legal is the part `action_mask` of an observation that is a dict: of the actions' structure, True or
  1 [n] for those of a choice that may be taken; of several choices at once, one after the other, [n_1 + n_2 + ...].
  Where real numbers are among the actions, their place is filled by anything.
- Rewards are numbers, a single one or an array of them. Discounts are from 0 to 1, and 0 only where an episode
  terminated.
- What an environment gives has the shape and the type that its specs say, at each step; an actor stops where it does
  not.
"""

from __future__ import annotations

import inspect
from collections import abc
from typing import Any, Callable, Dict, NamedTuple, Optional, Sequence, Tuple

import dm_env
import numpy as np
import tree
from dm_env import specs as dm_specs

from tfacme import errors, interfaces, mistakes

ACTION_MASK = 'action_mask'  # the part of an observation that says which actions are legal

_FEWEST_PIXELS = 16  # A shorter side behind another one may be the channels of a board.
_RANKS = {'b': 0, 'i': 1, 'u': 1, 'f': 2}  # of kinds of types: each takes all values of those before it

# The types of environments' values: single precision in place of double.
SINGLE = {np.dtype(np.float64): np.dtype(np.float32), np.dtype(np.int64): np.dtype(np.int32)}


def single_dtype(spec: dm_specs.Array) -> np.dtype:
  """The type of a spec in single precision: int64 stays where bounds do not say that int32 has all of its values."""
  if spec.dtype != np.int64:
    return SINGLE.get(spec.dtype, spec.dtype)
  limits = np.iinfo(np.int32)
  fits = isinstance(spec, dm_specs.BoundedArray) and np.all((spec.minimum >= limits.min) & (spec.maximum <= limits.max))
  return np.dtype(np.int32 if fits else np.int64)


class EnvironmentSpec(NamedTuple):
  """The shapes, types and bounds of an environment (nests of `dm_env.specs.Array`)."""

  observations: Any
  actions: Any
  rewards: Any
  discounts: Any


class MultiDiscreteArray(dm_specs.BoundedArray):
  """Several choices at once, each among so many of its own.

  Attributes:
    num_values: how many values each of them has, int64 of the spec's shape.
  """

  def __init__(self, num_values: Any, dtype: Any = np.int32, name: Optional[str] = None):
    self._num_values = np.array(num_values, np.int64)
    if not self._num_values.size or self._num_values.min() < 1:
      raise errors.UserError(f'A choice has at least one value, and num_values is {self._num_values.tolist()}.')
    super().__init__(self._num_values.shape, dtype, np.zeros_like(self._num_values), self._num_values - 1, name)

  @property
  def num_values(self) -> np.ndarray:
    return self._num_values

  def __reduce__(self):
    return MultiDiscreteArray, (self._num_values, self._dtype, self._name)


def make_environment(make: Callable[..., dm_env.Environment], seed: int, role: str) -> dm_env.Environment:
  """Makes an environment for a part of a run.

  Args:
    make: takes a seed, and is told the role if it has a parameter of that name.
    seed: of the environment.
    role: 'actor', 'evaluator', 'prefill', or 'spec' of one that is only asked for its specs and closed again.

  Raises:
    UserError: if what it returns is no `dm_env.Environment`.
  """
  environment = make(seed, role=role) if takes_role(make) else make(seed)
  interfaces.check(environment, f'What makes the environment ({_called(make)}) returned')
  return environment


def _called(make: Any) -> str:
  """The name of what makes an environment, for errors."""
  return getattr(make, 'id', None) or getattr(make, '__qualname__', None) or type(make).__qualname__


def takes_seed(make: Any) -> bool:
  """Whether something can be called with a seed, and with a role if it has a parameter of that name."""
  return mistakes.takes(make, None) or mistakes.takes(make, None, role='spec')


def takes_role(make: Callable[..., Any]) -> bool:
  """Whether what makes an environment wants to be told what it is for."""
  try:
    return 'role' in inspect.signature(make).parameters
  except (TypeError, ValueError):  # Some built-in functions have no signature.
    return False


@mistakes.told('The environment can not be made')
def read_spec(make: Callable[..., dm_env.Environment], seed: int) -> EnvironmentSpec:
  """The `environment_spec` of what `make` makes from a seed, which is closed again, also if its spec is refused."""
  environment = make_environment(make, seed, 'spec')
  try:
    return environment_spec(environment)
  finally:
    environment.close()


def environment_spec(environment: dm_env.Environment) -> EnvironmentSpec:
  """The specs of an environment, in one value.

  Raises:
    UserError: if they are not what the contract of this module says.
  """
  interfaces.check(environment, 'This environment is')
  spec = EnvironmentSpec(
    observations=environment.observation_spec(),
    actions=environment.action_spec(),
    rewards=environment.reward_spec(),
    discounts=environment.discount_spec(),
  )
  for name, nest in zip(('observation', 'action', 'reward', 'discount'), spec):
    for path, leaf in paths(nest).items():
      _check_leaf(f'{name} {path}'.rstrip(), leaf)
  if not sum(map(size, tree.flatten(spec.observations))):
    raise errors.UserError(
      'The observations of this environment have no numbers at all, and an agent acts on what it observes; let it '
      'observe a constant, if there is nothing else.'
    )
  mask = action_mask(spec.observations)
  if mask is not None:
    _check_mask(mask, spec.actions)
  return spec


def paths(nest: Any) -> Dict[str, Any]:
  """The leaves of a nest by their paths, the same whether a level is a dict, a named tuple or a tuple."""
  return {'/'.join(map(str, path)): leaf for path, leaf in tree.flatten_with_path(nest)}


def have_one_structure(nest: Any, other: Any) -> bool:
  """Whether two nests are of the same structure, of the same types at every level."""
  try:
    tree.assert_same_structure(nest, other)
    return True
  except (TypeError, ValueError):
    return False


def action_mask_spec(action_spec: Any) -> Any:
  """The specs of a mask of legal actions: a nest like the actions, where a boolean stands in for real numbers."""
  return tree.map_structure(lambda leaf: dm_specs.BoundedArray(_mask_shape(leaf), np.bool_, False, True), action_spec)


def action_mask(observation: Any) -> Any:
  """The part `action_mask` of an observation or of its spec, also where the last action and reward stand beside it.

  Returns:
    What stands there, or None if there is no such part.
  """
  if isinstance(observation, abc.Mapping):
    return observation.get(ACTION_MASK)
  inner = getattr(observation, 'observation', None)
  return None if inner is None else action_mask(inner)


def has_channels_first(shape: Sequence[int]) -> bool:
  """Whether an array is an image [C, H, W]: the first of three sides is the smallest, the others are 16 or more."""
  return len(shape) == 3 and shape[0] < min(shape[1:]) and min(shape[1:]) >= _FEWEST_PIXELS


def _check_leaf(name: str, leaf: Any) -> None:
  if not isinstance(leaf, dm_specs.Array):
    raise errors.UserError(
      f'The {name} of this environment is described by {leaf!r}, and has to be by a spec of dm_env, such as '
      'dm_env.specs.BoundedArray.'
    )
  if leaf.dtype.kind not in 'biuf' or leaf.dtype.itemsize > 8:
    raise errors.UserError(
      f'The {name} of this environment is of type {leaf.dtype.name}, and experience is numbers: booleans, integers and '
      'real numbers of at most 8 bytes; wrap it so that it gives such, or leave that part out.'
    )


def _mask_shape(leaf: Any) -> Tuple[int, ...]:
  return (int(np.sum(leaf.num_values)),) if is_choice(leaf) else ()


def _check_mask(mask: Any, action_spec: Any) -> None:
  try:
    tree.assert_same_structure(mask, action_spec)
  except (TypeError, ValueError) as error:
    raise errors.UserError(
      f'The action_mask of the observation is another nest than the actions: it is {_structure(mask)}, and has to be '
      f'{_structure(action_spec)}.'
    ) from error
  for (path, part), action in zip(paths(mask).items(), tree.flatten(action_spec)):
    if is_choice(action) and tuple(part.shape) != _mask_shape(action):
      raise errors.UserError(
        f'The {f"action_mask {path}".rstrip()} of the observation is of shape {tuple(part.shape)}, and has to be of '
        f'{_mask_shape(action)}, for {describe(action)}.'
      )


def _structure(nest: Any) -> str:
  """A nest in words, with dots for its leaves."""
  return str(tree.map_structure(lambda _: ..., nest)).replace('Ellipsis', '...')


def describe(action_spec: Any) -> str:
  """An action spec in words, for an agent that can't act in it."""
  if isinstance(action_spec, dm_specs.DiscreteArray):
    return f'a discrete action with {action_spec.num_values} values'
  if isinstance(action_spec, MultiDiscreteArray):
    return f'{action_spec.num_values.size} discrete actions at once, with {action_spec.num_values.tolist()} values'
  if isinstance(action_spec, dm_specs.BoundedArray) and action_spec.dtype.kind in 'iu' and not action_spec.shape:
    low, high = int(action_spec.minimum), int(action_spec.maximum)
    choice = f'a dm_env.specs.DiscreteArray({high - low + 1}), counted from 0'
    return f'an integer from {low} to {high} as its action (if that is a choice, its spec has to be {choice})'
  if isinstance(action_spec, dm_specs.Array):
    return f'actions of shape {action_spec.shape} and type {action_spec.dtype}'
  return f'a nest of {len(tree.flatten(action_spec))} actions'


def is_continuous(spec: Any) -> bool:
  """Whether an action spec is a single array of real numbers."""
  return isinstance(spec, dm_specs.Array) and spec.dtype.kind == 'f'


def check_actions(agent: str, spec: Any, choices: bool = True) -> None:
  """Raises a `UserError` unless an agent can draw actions of a spec from a distribution.

  Args:
    agent: its name.
    spec: any nest of choices (one or several at once) and of real numbers between finite bounds.
    choices: whether it can make choices; else there have to be real numbers only.
  """
  leaves = tree.flatten(spec)
  if not leaves:
    raise errors.UserError(f'{agent} needs actions, and this environment takes none.')
  for leaf in leaves:
    if not (choices and is_choice(leaf)):
      _check_bounded(agent if not choices else f'{agent} (for actions that are no choices)', leaf)


def _check_bounded(agent: str, spec: Any) -> None:
  """Raises a `UserError` unless an array spec is of real numbers between finite bounds."""
  if spec.dtype.kind != 'f' or not size(spec):
    raise errors.UserError(f'{agent} needs continuous actions, and this environment has {describe(spec)}.')
  if not isinstance(spec, dm_specs.BoundedArray):
    raise errors.UserError(f'{agent} needs actions with bounds, and this environment gives none for {describe(spec)}.')
  low, high = np.broadcast_to(spec.minimum, spec.shape), np.broadcast_to(spec.maximum, spec.shape)
  with np.errstate(over='ignore', invalid='ignore'):
    width = np.subtract(high, low, dtype=np.float32, casting='unsafe')
  if not (np.isfinite(width).all() and (width > 0).all()):
    raise errors.UserError(
      f'{agent} needs actions with finite bounds, the lower below the upper, and this environment has {low.tolist()} '
      f'to {high.tolist()}.'
    )


def check_discrete(agent: str, spec: Any) -> None:
  """Raises a `UserError` unless an action spec is a single choice among n actions."""
  if not is_discrete(spec):
    raise errors.UserError(f'{agent} needs a single discrete action, and this environment has {describe(spec)}.')


def check_scalar_reward(agent: str, spec: Any) -> None:
  """Raises a `UserError` unless a reward spec is of a single number."""
  if tuple(spec.shape):
    raise errors.UserError(
      f'{agent} learns from a single reward, and this environment gives rewards of shape {tuple(spec.shape)}; wrap it '
      'so that it gives their weighted sum.'
    )


def check_vectors(agent: str, spec: Any) -> None:
  """Raises a `UserError` unless observations are vectors of real numbers, or nests of those: nothing else is predicted.

  Single numbers are vectors too, and so are several in a stack.
  """
  for path, leaf in paths(spec).items():
    if leaf.dtype.kind != 'f' or len(leaf.shape) > 2:
      raise errors.UserError(
        f'{agent} predicts observations that are vectors of real numbers, and the {f"observation {path}".rstrip()} of '
        f'this environment is of shape {tuple(leaf.shape)} and type {leaf.dtype.name}; leave that out, or make such '
        'numbers of it by a wrapper, or take an agent that predicts none.'
      )


def check_action_type(by: Any, dtype: Any, spec: dm_specs.Array, path: str = '') -> None:
  """Raises a `UserError` unless numbers of a type can be actions of a spec, without losing what makes them differ.

  It is one rule for all who act: a choice may be a whole number of any width, and a real number may be whole.

  Args:
    by: the function, or what is called as one, that gives the actions.
    dtype: of these, numpy's or TensorFlow's.
    spec: an array spec, of the environment.
    path: to it in a nest of actions.
  """
  if _RANKS.get(_kind(dtype), 3) <= _RANKS[_kind(spec.dtype)]:
    return
  name = getattr(dtype, 'name', dtype)
  fix = 'choose a whole number, as tf.argmax does' if is_choice(spec) else f'give {spec.dtype.name}'
  raise errors.UserError(
    f'{mistakes.named(by)} gives {f"actions {path}" if path else "actions"} of type {name}, and the environment takes '
    f'{describe(spec)}, of type {spec.dtype.name}; {fix}.'
  )


class ActionTypes:
  """Checks the types of actions in each call: a policy that draws whole numbers at first may give others later."""

  def __init__(self, by: Any, action_spec: Any):
    """`by` as for `check_action_type`; the spec is a nest."""
    self._by, self._specs = by, paths(action_spec)
    self._checked: Sequence[np.dtype] = ()  # the types in the last call

  def check(self, leaves: Sequence[Any]) -> None:
    """Raises a `UserError` as `check_action_type` does, for the leaves of actions in the order of the spec's."""
    types = [np.asarray(leaf).dtype for leaf in leaves]
    if types != self._checked:
      for (path, spec), dtype in zip(self._specs.items(), types):
        check_action_type(self._by, dtype, spec, path)
      self._checked = types


def _kind(dtype: Any) -> str:
  """The kind of a type, as numpy has it in a letter; TensorFlow has some that numpy does not know."""
  if not hasattr(dtype, 'is_floating'):
    return np.dtype(dtype).kind
  return 'f' if dtype.is_floating else 'i' if dtype.is_integer else 'b' if dtype.is_bool else '?'


def is_discrete(spec: Any) -> bool:
  """Whether a spec is of a single choice among n values."""
  return isinstance(spec, dm_specs.DiscreteArray)


def is_multi_discrete(spec: Any) -> bool:
  """Whether a spec is of several choices at once."""
  return isinstance(spec, MultiDiscreteArray)


def is_choice(spec: Any) -> bool:
  """Whether a spec is of a choice, or of several at once; both have `num_values`."""
  return is_discrete(spec) or is_multi_discrete(spec)


def is_array(spec: Any) -> bool:
  """Whether a spec is of a single array, and no nest."""
  return isinstance(spec, dm_specs.Array)


def size(spec: Any) -> int:
  """How many numbers an array spec has."""
  return int(np.prod(spec.shape, dtype=np.int64))
