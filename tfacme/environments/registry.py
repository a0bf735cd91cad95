"""From the id of an environment to the environment."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import types
from typing import Callable

import dm_env

from tfacme import errors, importing
from tfacme.environments import custom
from tfacme.environments.wrappers import single_precision

# The families of environments. A family is a module with three functions, imported when one of its ids is used:
#   check(name)       raises a UserError unless `name` (the id after the colon) can be made; cheap
#   make(name, seed)  returns a new dm_env.Environment
#   known()           lists (id or pattern, one line that says what it is); works where the family is not installed
_FAMILIES = {
  'atari': 'tfacme.environments.atari',
  'bsuite': 'tfacme.environments.bsuite',
  'dm_control': 'tfacme.environments.dm_control',
  'gym': 'tfacme.environments.gym',
  'minatar': 'tfacme.environments.minatar',
}

_Wrapper = Callable[[dm_env.Environment], dm_env.Environment]


@dataclasses.dataclass(frozen=True)
class EnvironmentFactory:
  """Makes one environment, again and again, with a seed each. Picklable if its wrappers are.

  Attributes:
    id: The id of the environment, such as `bsuite:catch/0`.
    wrappers: What to put around the environment, the innermost first. They meet an environment that is in single
      precision, and what they return is put into single precision once more where its specs are not.
  """

  id: str
  wrappers: tuple[_Wrapper, ...] = ()

  def __call__(self, seed: int) -> dm_env.Environment:
    """Returns a new environment in single precision.

    Args:
      seed: Decides everything that the environment draws; at least 0.

    Raises:
      errors.UserError: If there is no such environment, or it can't be made here.
    """
    errors.count('The seed of an environment', seed, low=0)
    family, name = _resolve(self.id)
    environment = single_precision.SinglePrecision(family.make(name, int(seed)))
    for wrapper in self.wrappers:
      environment = wrapper(environment)
    if single_precision.is_single_precision(environment):
      return environment
    return single_precision.SinglePrecision(environment)

  def wrapped(self, *wrappers: _Wrapper) -> EnvironmentFactory:
    """Returns a factory of the same environment with `wrappers` around it, the last of them outermost."""
    return dataclasses.replace(self, wrappers=self.wrappers + wrappers)


def factory(id: str) -> EnvironmentFactory:  # noqa: A002 (what an environment is made from is called its id)
  """Returns the factory of the environment `id`, having checked that there is one.

  Args:
    id: `bsuite:catch/0`, `gym:CartPole-v1`, or `package.module:function` for a function that returns a
      `dm_env.Environment`, called with `seed=` if it has such a parameter.

  Raises:
    errors.UserError: If there is no such environment, or the package it is in is not installed.
  """
  family, name = _resolve(id)
  family.check(name)
  return EnvironmentFactory(id)


def make(id: str, seed: int = 0) -> dm_env.Environment:  # noqa: A002
  """Returns a new environment in single precision. Arguments and errors are those of `factory` and its result."""
  return factory(id)(seed)


def known() -> list[tuple[str, str]]:
  """Lists what can be made: (id or pattern of ids, one line that says what it is)."""
  families = [importlib.import_module(module) for module in _FAMILIES.values()]
  return [row for family in families + [custom] for row in family.known()]


def _resolve(environment_id: str) -> tuple[types.ModuleType, str]:
  """Splits an id into its family and the name in it; a family that is not in the table is the user's own module."""
  prefix, colon, name = environment_id.partition(':')
  if not (prefix and colon and name):
    hint = 'write FAMILY:NAME, such as bsuite:catch/0 or gym:CartPole-v1, or package.module:function.'
    raise errors.unknown('environment', environment_id, (row[0] for row in known()), hint)
  if prefix in _FAMILIES:
    return importlib.import_module(_FAMILIES[prefix]), name
  if not importing.exists(prefix):
    hint = f'it is neither a family of environments ({", ".join(_FAMILIES)}) nor a module that can be imported here.'
    raise errors.unknown('environment', environment_id, (f'{family}:{name}' for family in _near(prefix)), hint)
  return custom, environment_id


def _near(prefix: str) -> list[str]:
  """The families that `prefix` may be a slip of."""
  return difflib.get_close_matches(prefix, _FAMILIES, cutoff=0.6)
