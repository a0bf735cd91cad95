"""What an object is that should have been a `dm_env.Environment`, and what to do about it.

The interfaces of other libraries are recognized by the names of their classes, so none of them is imported.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any, Callable, NamedTuple, Tuple

import dm_env

from tfacme import errors

_ADAPTER = 'environments.gym_adapter.GymEnvironment'  # in tfacme


class _Interface(NamedTuple):
  """An interface of environments.

  Attributes:
    recognizes: whether an object has it.
    what: the object is, as a phrase.
    fix: what to do with it, as a phrase.
  """

  recognizes: Callable[[Any], bool]
  what: str
  fix: str


def check(environment: Any, who: str) -> None:
  """Raises a `UserError` unless an object is a `dm_env.Environment`.

  Args:
    environment: the object.
    who: gave it, and what that did: 'my_module:make returned'.
  """
  if not isinstance(environment, dm_env.Environment):
    what, fix = describe(environment)
    raise errors.UserError(f'{who} {what}, and it has to be a dm_env.Environment{fix and ": "}{fix}.')


def describe(environment: Any) -> Tuple[str, str]:
  """(what an object is, what to do with it), as phrases; the second is empty where nothing is known of its kind."""
  if environment is None:
    return 'None', 'end what makes it with `return environment`'
  if isinstance(environment, type):
    return f'the class {_name(environment)}', 'call it, to make one'
  kind = _name(type(environment))
  for interface in _INTERFACES:
    if interface.recognizes(environment):
      return f'{kind}, {interface.what}', interface.fix
  return kind, ''


def is_gym(environment: Any) -> bool:
  """Whether an object is an environment of the package gym, which came before Gymnasium."""
  return _is_a(environment, 'gym', 'Env')


def is_vector(environment: Any) -> bool:
  """Whether an object is many environments in one."""
  named = _is_a(environment, 'gymnasium', 'VectorEnv') or _is_a(environment, 'gym', 'VectorEnv')
  return named or (_has(environment, 'num_envs') and not _is_a(environment, 'gymnasium', 'Env'))


def is_pettingzoo(environment: Any) -> bool:
  """Whether an object is an environment of PettingZoo, or looks like one."""
  named = _is_a(environment, 'pettingzoo', 'AECEnv') or _is_a(environment, 'pettingzoo', 'ParallelEnv')
  return named or (_has(environment, 'possible_agents') and _has(environment, 'action_space'))


def _is_a(environment: Any, package: str, name: str) -> bool:
  """Whether a class of this name, from this package, is among those of an object."""
  classes = type(environment).__mro__
  return any(kind.__name__ == name and kind.__module__.partition('.')[0] == package for kind in classes)


def _has(environment: Any, name: str) -> bool:
  """Whether an object has an attribute, without running a property of it."""
  nothing = object()
  return inspect.getattr_static(environment, name, nothing) is not nothing


def _name(kind: type) -> str:
  return f'{kind.__module__}.{kind.__qualname__}'


def _is_new_gym(environment: Any) -> bool:
  """Whether an object is of gym 0.26, whose methods are those of Gymnasium."""
  version = getattr(sys.modules.get('gym'), '__version__', '')
  return is_gym(environment) and _at_least_0_26(version)


def _at_least_0_26(version: str) -> bool:
  parts = [int(part) for part in version.split('.')[:2] if part.isdigit()]
  return parts >= [0, 26]


_INTERFACES: Tuple[_Interface, ...] = (
  _Interface(
    is_vector,
    'which is many environments in one',
    'give a single one, and have each actor play several of them by Layout(slots=8) (--slots 8)',
  ),
  _Interface(
    is_pettingzoo,
    "which is PettingZoo's, for several agents",
    'an agent here plays for one of them: make a dm_env.Environment, or one of Gymnasium, of what that one sees, in '
    'which the others act by policies of their own',
  ),
  _Interface(
    _is_new_gym,
    'of gym 0.26, in whose place Gymnasium has come',
    'import gymnasium in the place of gym where it is defined, or wrap it as '
    f'tfacme.{_ADAPTER}(shimmy.GymV26CompatibilityV0(env=environment), seed) (pip install "shimmy[gym-v26]")',
  ),
  _Interface(
    is_gym,
    'of gym before 0.26, whose methods are others than those of Gymnasium',
    'bring it to Gymnasium (`reset` returns an observation and an info, `step` returns terminated and truncated in the '
    f'place of done), or wrap it as tfacme.{_ADAPTER}(shimmy.GymV21CompatibilityV0(env=environment), seed) '
    '(pip install "shimmy[gym-v21]")',
  ),
  _Interface(
    lambda environment: _is_a(environment, 'gymnasium', 'Env') or _has(environment, 'observation_space'),
    'with the interface of Gymnasium',
    f'wrap it as tfacme.{_ADAPTER}(environment, seed)',
  ),
  _Interface(
    callable,
    'which is something that can be called',
    'return the environment itself, not what makes it',
  ),
)
