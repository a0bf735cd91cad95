"""From the interface of Gymnasium to the one of dm_env. Imports Gymnasium.

What differs between the two, and is settled here: Gymnasium says `terminated` and `truncated` where dm_env has a
discount; it wants a reset where dm_env starts a new episode by itself; it is seeded by its first reset; and its
discrete spaces need not start at 0. Several choices at once, which it has in two spaces and in any shape, are actions
of one kind: a vector of them, a `specs.MultiDiscreteArray`.
"""

from __future__ import annotations

import inspect
import re
import traceback
from typing import Any, Callable, Optional, Tuple

import dm_env
import gymnasium
import numpy as np
import tree
from dm_env import specs
from gymnasium import spaces

from tfacme import errors, interfaces, mistakes
from tfacme.environments import leaves, mujoco_settings
from tfacme.specs import MultiDiscreteArray

_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_UNPACKED = re.compile(r'values to unpack \(expected 5')
_NOTHING = re.compile('unpack non-iterable NoneType|tuple.*NoneType')  # The second is Gymnasium's own check.
_STEP = 'an observation, a reward, terminated, truncated and a dict of infos'
_RESET = 'an observation and a dict of infos'


class GymEnvironment(dm_env.Environment):
  """A Gymnasium environment as a dm_env environment.

  Observations and actions have the shapes and the dtypes of the spaces; `Dict` and `Tuple` spaces become dicts and
  tuples, discrete ones count from 0. `MultiDiscrete` and `MultiBinary` actions are vectors of choices (bits are choices
  among two), and a `MultiDiscrete` observation is choices too, where bits are numbers. Rewards and discounts are
  float32 scalars. The discount is 0 in the last step of an episode that terminated and 1 everywhere else, also where an
  episode was truncated.

  Attributes:
    info: what Gymnasium calls so, of the last step.
  """

  def __init__(self, environment: gymnasium.Env, seed: Optional[int] = None, name: str = 'The environment'):
    """Wraps `environment`.

    Args:
      environment: What to wrap.
      seed: The seed of the first reset; later episodes continue its random stream. None for a random one.
      name: What errors call the environment.

    Raises:
      errors.UserError: If it has another interface, or a space that can't be described by specs.
    """
    _check_interface(environment, name)
    mujoco_settings.listen()
    self._environment = environment
    self._seed = seed
    self._name = name
    self._needs_reset = True
    self._is_checked = False
    self.info: dict[str, Any] = {}
    observations = _nest(environment.observation_space, f'{name} has an observation space')
    actions = _nest(environment.action_space, f'{name} has an action space')
    self._observation_spec = tree.map_structure_with_path(_named('observation', _observation_spec), observations)
    self._action_spec = tree.map_structure_with_path(_named('action', _action_spec), actions)
    self._observation = leaves.apply_each(
      tree.map_structure_with_path(_named('observation', _observation_reader), observations)
    )
    self._action = leaves.apply_each(tree.map_structure(_action_writer, actions))

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode."""
    observation, self.info = self._reset()
    self._seed = None  # Seeding again would repeat the same episode for ever.
    self._needs_reset = False
    observation = self._read(observation)
    if not self._is_checked:
      self._check_shapes(observation)
    return dm_env.restart(observation)

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step, or starts an episode if none is going on."""
    if self._needs_reset:
      return self.reset()
    try:
      observation, reward, terminated, truncated, self.info = self._environment.step(self._action(action))
    except (ValueError, TypeError, AssertionError) as error:
      if _is_their_own(error):
        raise
      if _UNPACKED.search(str(error)):
        raise self._is_old('step does not return five values (terminated and truncated among them)') from error
      if _NOTHING.search(str(error)):
        raise mistakes.returned(_inner(self._environment).step, None, _STEP) from error
      raise
    self._needs_reset = bool(terminated or truncated)
    return dm_env.TimeStep(
      step_type=dm_env.StepType.LAST if self._needs_reset else dm_env.StepType.MID,
      reward=self._number(reward),
      discount=_ZERO if terminated else _ONE,
      observation=self._read(observation),
    )

  def observation_spec(self) -> Any:
    """Describes observations: a nest of specs in the shape of the observation space."""
    return self._observation_spec

  def action_spec(self) -> Any:
    """Describes actions: a nest of specs in the shape of the action space."""
    return self._action_spec

  def reward_spec(self) -> specs.Array:
    """Describes rewards: float32 scalars."""
    return specs.Array((), np.float32, name='reward')

  def discount_spec(self) -> specs.BoundedArray:
    """Describes discounts: float32 scalars in [0, 1]."""
    return specs.BoundedArray((), np.float32, minimum=0.0, maximum=1.0, name='discount')

  def render(self) -> np.ndarray:
    """Returns an image of the present state: uint8 [height, width, 3].

    Raises:
      errors.UserError: If the environment can't draw itself.
    """
    image = self._draw() if self._environment.render_mode == 'rgb_array' else None
    if image is None:
      raise errors.UserError(f'{self._name} can not draw itself: it has no render_mode rgb_array.')
    return image

  def close(self) -> None:
    """Closes the environment."""
    self._environment.close()

  def _draw(self) -> Any:
    try:
      return self._environment.render()
    except Exception as error:  # Each of the libraries that draw has errors of its own.
      is_mujoco = any(kind.__module__.startswith('gymnasium.envs.mujoco') for kind in _classes(self._environment))
      if not (is_mujoco or isinstance(error, gymnasium.error.Error)):
        raise
      reason = ' '.join(str(error).split())[:200].rstrip('.')
      fix = f'; {mujoco_settings.HINT}' if is_mujoco else ''
      raise errors.UserError(f'{self._name} can not draw itself here ({reason}){fix}.') from error

  def _reset(self) -> Tuple[Any, dict[str, Any]]:
    try:
      result = self._environment.reset(seed=self._seed)
    except AssertionError as error:
      if _NOTHING.search(str(error)) and not _is_their_own(error):
        raise mistakes.returned(_inner(self._environment).reset, None, _RESET) from error
      raise
    except TypeError as error:
      if 'seed' not in str(error) or _takes_seed(self._environment):
        raise
      raise self._is_old('reset takes no seed=') from error
    if result is None:
      raise mistakes.returned(_inner(self._environment).reset, None, _RESET)
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)):
      raise self._is_old('reset does not return two values, an observation and a dict of infos')
    return result

  def _is_old(self, reason: str) -> errors.UserError:
    """The error for an environment that speaks as they did before Gymnasium 0.26."""
    return errors.UserError(
      f'{self._name} has the interface from before Gymnasium 0.26, since its {reason}; bring it to the present one '
      '(https://gymnasium.farama.org/introduction/migration_guide).'
    )

  def _read(self, observation: Any) -> Any:
    """An observation as the spec says."""
    try:
      return self._observation(observation)
    except _WrongError as error:
      raise errors.UserError(f'{self._name} violates its observation space: {error}.') from error
    except (KeyError, IndexError, TypeError, ValueError) as error:
      reason = f'it lacks {error}' if isinstance(error, KeyError) else f'{" ".join(str(error).split())[:200]}'
      raise errors.UserError(
        f'{self._name} returns an observation that is no element of its observation space ({reason}).'
      ) from error

  def _number(self, reward: Any) -> np.float32:
    """A reward; by way of float, because some environments return arrays of shape [1]."""
    try:
      return np.float32(float(reward))
    except (TypeError, ValueError) as error:
      raise errors.UserError(
        f'{self._name} returns the reward {reward!r}, and has to return a number; a reward of several parts takes a '
        'dm_env.Environment, or a wrapper that adds them up.'
      ) from error

  def _check_shapes(self, observation: Any) -> None:
    """Holds the first observation against the spec, so that a wrong space is not first seen deep in a replay."""
    for path, spec in tree.flatten_with_path(self._observation_spec):
      shape = _at(observation, path).shape
      if shape != spec.shape:
        raise errors.UserError(
          f'{self._name} returns an {spec.name} of shape {shape}, and its observation space says {spec.shape}.'
        )
    self._is_checked = True


def _check_interface(environment: Any, name: str) -> None:
  """Raises a `UserError` unless an environment has the interface of Gymnasium, as far as can be seen by looking."""
  if isinstance(environment, gymnasium.Env):
    return
  if isinstance(environment, dm_env.Environment):
    raise errors.UserError(f'{name} is a dm_env.Environment already; leave GymEnvironment out.')
  space = getattr(environment, 'observation_space', None)
  known = interfaces.is_vector(environment) or interfaces.is_pettingzoo(environment) or interfaces.is_gym(environment)
  if known or isinstance(environment, type) or space is None:
    what, fix = interfaces.describe(environment)
    raise errors.UserError(f'{name} is {what}, and GymEnvironment takes one of Gymnasium{fix and ": "}{fix}.')
  if not isinstance(space, spaces.Space):
    kind = f'{type(space).__module__}.{type(space).__qualname__}'
    raise errors.UserError(f'{name} has an observation space {kind}, and has to have one of gymnasium.spaces.')


def _is_their_own(error: Exception) -> bool:
  """Whether an error was raised in code that is neither Gymnasium's nor this."""
  *_, (frame, _) = traceback.walk_tb(error.__traceback__)
  module = frame.f_globals.get('__name__', '')
  return module != __name__ and module.partition('.')[0] != 'gymnasium'


def _inner(environment: Any) -> Any:
  """An environment without its wrappers."""
  return getattr(environment, 'unwrapped', environment)


def _classes(environment: Any) -> Tuple[type, ...]:
  return type(_inner(environment)).__mro__


def _takes_seed(environment: Any) -> bool:
  """Whether the innermost `reset` has a parameter `seed`, or takes any."""
  parameters = inspect.signature(_inner(environment).reset).parameters.values()
  return any(parameter.name == 'seed' or parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def _at(nest: Any, path: tuple[Any, ...]) -> Any:
  for key in path:
    nest = nest[key]
  return nest


def _nest(space: spaces.Space, owner: str) -> Any:
  """Turns `Dict` and `Tuple` spaces into dicts and tuples of the spaces that are leaves."""
  if isinstance(space, spaces.Dict):
    return {key: _nest(value, owner) for key, value in space.spaces.items()}
  if isinstance(space, spaces.Tuple):
    return tuple(_nest(value, owner) for value in space.spaces)
  if isinstance(space, (spaces.Discrete, spaces.Box, spaces.MultiBinary, spaces.MultiDiscrete)):
    return space
  raise errors.UserError(
    f'{owner} {space}, which has no dm_env spec: '
    'it may be made of Discrete, Box, MultiBinary, MultiDiscrete, Dict and Tuple spaces.'
  )


class _WrongError(Exception):
  """What is not as a space says, as a phrase."""


def _named(root: str, function: Callable[[spaces.Space, str], Any]) -> Callable[[tuple[Any, ...], spaces.Space], Any]:
  """From a function of a space and its name to one of its path and itself; `root` and the path are the name."""
  return lambda path, space: function(space, '/'.join([root, *map(str, path)]))


def _observation_spec(space: spaces.Space, name: str) -> specs.Array:
  """The spec of an observation space that is a leaf."""
  if isinstance(space, spaces.MultiDiscrete):
    return MultiDiscreteArray(space.nvec, space.dtype, name)
  if isinstance(space, spaces.MultiBinary):
    return specs.BoundedArray(space.shape, space.dtype, minimum=0, maximum=1, name=name)
  return _single_spec(space, name)


def _action_spec(space: spaces.Space, name: str) -> specs.Array:
  """The spec of an action space that is a leaf."""
  if isinstance(space, spaces.MultiDiscrete):
    return MultiDiscreteArray(np.ravel(space.nvec), space.dtype, name)
  if isinstance(space, spaces.MultiBinary):
    return MultiDiscreteArray(np.full(int(np.prod(space.shape)), 2), np.int32, name)
  return _single_spec(space, name)


def _single_spec(space: spaces.Space, name: str) -> specs.Array:
  """The spec of a `Discrete` or `Box` space; bounds that are infinite, or not a number, become infinite."""
  if isinstance(space, spaces.Discrete):
    return specs.DiscreteArray(int(space.n), dtype=space.dtype, name=name)
  low, high = space.low, space.high
  if np.issubdtype(space.dtype, np.floating):
    low = np.where(np.isnan(low), -np.inf, low)
    high = np.where(np.isnan(high), np.inf, high)
  return specs.BoundedArray(space.shape, space.dtype, minimum=low, maximum=high, name=name)


def _start(space: spaces.Space) -> Any:
  """What a discrete space counts from; None if that is 0, or the space is not discrete."""
  start = getattr(space, 'start', None)
  return start if np.any(start) else None


def _observation_reader(space: spaces.Space, name: str) -> Callable[[Any], Any]:
  """Returns the function from what the environment gives to what the spec says. It copies: some reuse their arrays."""
  dtype, start = space.dtype, _start(space)

  def read(value: Any) -> Any:
    array = np.array(value)
    if array.dtype is not dtype:
      array = _convert(array, dtype, name)
    return array if start is None else array - start

  return (lambda value: read(value)[()]) if isinstance(space, spaces.Discrete) else read


def _convert(array: np.ndarray, dtype: np.dtype, name: str) -> np.ndarray:
  """An array in another type, in which it has to be the same numbers, but for the digits of real ones."""
  if array.dtype.kind not in 'biuf':
    raise _WrongError(f'the {name} is {array.tolist()!r:.200}, which is of no type of numbers')
  with np.errstate(all='ignore'):
    converted = array.astype(dtype)
  if dtype.kind != 'f' and (converted != array).any():
    raise _WrongError(f'the {name} has {array[converted != array].flat[0]}, and is of type {dtype} there')
  return converted


def _action_writer(space: spaces.Space) -> Callable[[Any], Any]:
  """Returns the function from an action of the spec to one of the space."""
  dtype, start = space.dtype, _start(space)
  if isinstance(space, spaces.Discrete):
    return int if start is None else lambda value: int(value) + int(start)
  shape = space.shape
  if start is None:
    return lambda value: np.asarray(value, dtype).reshape(shape)
  return lambda value: np.asarray(np.reshape(value, shape) + start, dtype)
