"""From the id of an environment to the environment."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
import types
from typing import Any, Optional, Tuple

import dm_env

from tfacme import errors, importing, interfaces
from tfacme.environments import custom
from tfacme.environments.options import Options, Wrapper
from tfacme.environments.wrappers import single_precision

# The families of environments. A family is a module with three functions, imported when one of its ids is used:
#   check(name)               raises a UserError unless `name` (the id after the colon) can be made; cheap
#   make(name, seed, kwargs)  returns a new dm_env.Environment; the keyword arguments are the user's
#   known()                   lists (id or pattern, one line that says what it is), also where it is not installed
_FAMILIES = {
  'atari': 'tfacme.environments.atari',
  'bsuite': 'tfacme.environments.bsuite',
  'dm_control': 'tfacme.environments.dm_control',
  'gym': 'tfacme.environments.gym',
  'minatar': 'tfacme.environments.minatar',
}


@dataclasses.dataclass(frozen=True)
class EnvironmentFactory:
  """Makes one environment, again and again, with a seed each. Picklable if its wrappers are.

  Attributes:
    id: The id of the environment, such as `bsuite:catch/0`.
    wrappers: What to put around the environment, outside of the wrappers of its options, the innermost first. They
      meet an environment that is in single precision, and what they return is put into single precision once more where
      its specs are not.
    options: Keyword arguments of what makes the environment, and wrappers by name.
  """

  id: str
  wrappers: Tuple[Wrapper, ...] = ()
  options: Options = Options()

  def __call__(self, seed: int, role: str = 'actor') -> dm_env.Environment:
    """Returns a new environment in single precision.

    Args:
      seed: Decides everything that the environment draws; at least 0.
      role: What it is for; see `specs.make_environment`. A function of one's own is told, if it has such a parameter.

    Raises:
      errors.UserError: If there is no such environment, or it can't be made here.
    """
    errors.count('The seed of an environment', seed, low=0)
    environment = single_precision.SinglePrecision(self._make(int(seed), role))
    for wrapper in self.layers:
      environment = wrapper(environment)
      interfaces.check(environment, f'The wrapper {_called(wrapper)} around {self.id} returned')
    if single_precision.is_single_precision(environment):
      return environment
    return single_precision.SinglePrecision(environment)

  def wrapped(self, *wrappers: Wrapper) -> EnvironmentFactory:
    """Returns a factory of the same environment with `wrappers` around it, the last of them outermost."""
    return dataclasses.replace(self, wrappers=self.wrappers + wrappers)

  @property
  def layers(self) -> Tuple[Wrapper, ...]:
    """All wrappers, those of its options and the others, the innermost first."""
    return (*self.options.wrappers, *self.wrappers)

  def within(self, layers: int) -> EnvironmentFactory:
    """The factory of the environment with only so many of its layers, the innermost ones."""
    return dataclasses.replace(self, wrappers=self.layers[:layers], options=Options(self.options.kwargs))

  def _make(self, seed: int, role: str) -> dm_env.Environment:
    """The environment without wrappers. What a maker has against keyword arguments becomes a `UserError`."""
    family, name = _resolve(self.id)
    kwargs = dict(self.options.kwargs)
    try:
      return custom.make(name, seed, kwargs, role) if family is custom else family.make(name, seed, kwargs)
    except errors.UserError:
      raise
    except Exception as error:
      if not kwargs or family is custom:  # It is a fault of a program, whose traceback is wanted.
        raise
      reason = ' '.join(f'{type(error).__name__}: {error}'.split())[:300]
      raise errors.UserError(f'{self.id} can not be made with the kwargs {kwargs} ({reason}).') from error


def factory(
  id: str,  # noqa: A002 (what an environment is made from is called its id)
  options: Optional[Options] = None,
  **settings: Any,
) -> EnvironmentFactory:
  """Returns the factory of the environment `id`, having checked that there is one.

  Args:
    id: `bsuite:catch/0`, `gym:CartPole-v1`, or `package.module:function` for a function that returns a
      `dm_env.Environment`, called with `seed=` if it has such a parameter.
    options: what it is made with; None is the default.
    **settings: fields of the options by name, such as `frame_stack=4` or `kwargs={'size': 8}`.

  Raises:
    errors.UserError: If there is no such environment or setting, or the package it is in is not installed.
  """
  fields = [field.name for field in dataclasses.fields(Options)]
  for setting in settings:
    if setting not in fields:
      raise errors.unknown('setting of an environment', setting, fields, f'there are {", ".join(fields)}.')
  family, name = _resolve(id)
  family.check(name)
  return EnvironmentFactory(id, options=dataclasses.replace(options or Options(), **settings))


def make(id: str, seed: int = 0, **settings: Any) -> dm_env.Environment:  # noqa: A002
  """Returns a new environment in single precision. Arguments and errors are those of `factory` and its result."""
  return factory(id, **settings)(seed)


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


def _called(wrapper: Any) -> str:
  """The name of a wrapper, for errors."""
  function = wrapper.func if isinstance(wrapper, functools.partial) else wrapper
  return getattr(function, '__qualname__', type(function).__qualname__)


def _near(prefix: str) -> list[str]:
  """The families that `prefix` may be a slip of."""
  return difflib.get_close_matches(prefix, _FAMILIES, cutoff=0.6)
