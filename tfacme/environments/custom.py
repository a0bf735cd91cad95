"""Environments of the user's own: `package.module:function`."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Mapping

import dm_env

from tfacme import errors, importing, interfaces, specs
from tfacme.environments import mujoco_settings


def check(environment_id: str) -> None:
  """Raises a `UserError` unless `environment_id` names a function that can be imported."""
  _load(environment_id)


def make(environment_id: str, seed: int, kwargs: Mapping[str, Any], role: str = 'actor') -> dm_env.Environment:
  """Returns the environment that the function `environment_id` returns.

  Args:
    environment_id: `package.module:function`. The module may be in the current folder.
    seed: Given to the function as `seed=` if it has a parameter of that name.
    kwargs: Given to the function too.
    role: Given to the function as `role=` if it has a parameter of that name; see `specs.make_environment`.

  Raises:
    errors.UserError: If there is no such function, or it returns something else than a `dm_env.Environment`.
  """
  function = _load(environment_id)
  told = {'role': role, **kwargs} if specs.takes_role(function) else kwargs
  environment = function(**_arguments(function, seed, told, environment_id))
  interfaces.check(environment, f'{environment_id} returned')
  return environment


def known() -> list[tuple[str, str]]:
  """Says how ids of one's own look."""
  return [('package.module:function', 'your own function that returns a dm_env.Environment; may take seed=')]


def _load(environment_id: str) -> Callable[..., Any]:
  """Imports the function `environment_id`."""
  mujoco_settings.prepare()
  value = importing.load(environment_id, 'function')
  mujoco_settings.listen()
  if not callable(value):
    kind = type(value).__name__
    raise errors.UserError(f'{environment_id} is of type {kind}, and has to be a function that returns an environment.')
  return value


def _arguments(
  function: Callable[..., Any], seed: int, kwargs: Mapping[str, Any], environment_id: str
) -> dict[str, Any]:
  """What to call a function with: the seed if it takes one, and `kwargs`. Raises a `UserError` if that does not fit."""
  try:
    signature = inspect.signature(function)
  except ValueError:  # Some built-in functions have no signature.
    return dict(kwargs)
  seed_parameter = signature.parameters.get('seed')
  takes_seed = seed_parameter is not None and seed_parameter.kind != seed_parameter.POSITIONAL_ONLY
  arguments = {**({'seed': seed} if takes_seed else {}), **kwargs}
  try:
    signature.bind(**arguments)
  except TypeError as error:
    raise errors.UserError(
      f'{environment_id} takes {signature}, and is called with {_list(kwargs)} ({error}): give the others defaults, or '
      'name them in the kwargs of the environment.'
    ) from error
  return arguments


def _list(kwargs: Mapping[str, Any]) -> str:
  return ', '.join(['seed=', *(f'{name}=' for name in kwargs if name != 'seed')])
