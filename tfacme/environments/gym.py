"""The environments of Gymnasium: `gym:NAME`, or `gym:MODULE:NAME` for those that importing a module registers.

The module may be in the current folder.
"""

from __future__ import annotations

from typing import Any, Mapping

import dm_env

from tfacme import errors, importing
from tfacme.environments import mujoco_settings, packages


def check(name: str) -> None:
  """Raises a `UserError` unless Gymnasium is installed and an environment `name` is registered with it."""
  packages.require('gymnasium', f'gym:{name}')
  mujoco_settings.prepare()
  import gymnasium

  module, colon, registered = name.rpartition(':')
  if colon:
    importing.load(module)
  if registered not in gymnasium.registry:
    prefix = f'gym:{module}{colon}'
    hint = 'the command `tfacme envs` lists those that are registered.'
    near = (prefix + known_name for known_name in gymnasium.registry)
    raise errors.unknown('environment', f'gym:{name}', near, hint)


def make(name: str, seed: int, kwargs: Mapping[str, Any]) -> dm_env.Environment:
  """Returns the environment `name` as a dm_env environment.

  Args:
    name: The name that it is registered under, after the module that registers it and a colon if it is not one of
      Gymnasium's own.
    seed: The seed of its first reset.
    kwargs: of `gymnasium.make`: those of the environment, and `max_episode_steps`.

  Raises:
    errors.UserError: If there is no such environment, a package is missing that it needs, or one of its spaces can't
      be described by dm_env's specs.
  """
  check(name)
  import gymnasium

  from tfacme.environments import gym_adapter

  spec = gymnasium.spec(name.rpartition(':')[2])
  try:
    settings = {**_render_mode(spec), **kwargs}
    mujoco_settings.listen()  # What makes the environment is imported.
    environment = gymnasium.make(spec, **settings)
  except (gymnasium.error.DependencyNotInstalled, ImportError) as error:
    reason = str(error).partition('\n')[0].rstrip('.')
    raise errors.UserError(f'gym:{name} needs a package that is not installed: {reason}.') from error
  except (gymnasium.error.Error, TypeError) as error:
    says_what_it_is = 'gymnasium.Env' in str(error)  # Gymnasium, of an environment that is none of its own
    if isinstance(error, TypeError) and not says_what_it_is:
      raise
    reason = ' '.join(str(error).split()).rstrip('.')
    raise errors.UserError(f'gym:{name} can not be made ({reason}).') from error
  return gym_adapter.GymEnvironment(environment, seed=seed, name=f'gym:{name}')


def known() -> list[tuple[str, str]]:
  """Lists the registered environments, each in its latest version: (id, what it is)."""
  pattern = ('gym:NAME', 'any environment that is registered with Gymnasium; gym:MODULE:NAME imports MODULE first')
  if not importing.installed('gymnasium'):
    return [pattern]
  import gymnasium

  latest = {}
  for spec in gymnasium.registry.values():
    if spec.entry_point is None or _is_placeholder(spec):  # None is of those that come as many in one only.
      continue
    key = (spec.namespace, spec.name)
    if key not in latest or (spec.version or 0) > (latest[key].version or 0):
      latest[key] = spec
  return [pattern] + [(f'gym:{spec.id}', _describe(spec)) for spec in latest.values()]


def _describe(spec: Any) -> str:
  """Says in one line what is known of an environment without importing it: the kind of it and its time limit."""
  source = spec.entry_point if isinstance(spec.entry_point, str) else spec.entry_point.__module__
  kind = source.partition(':')[0].removeprefix('gymnasium.envs.').split('.')[0].replace('_', ' ')
  return f'{kind}, episodes of at most {spec.max_episode_steps} steps' if spec.max_episode_steps else kind


def _is_placeholder(spec: Any) -> bool:
  """Whether this only raises an error: a function of Gymnasium's own stands for what another package would bring."""
  return callable(spec.entry_point) and spec.entry_point.__module__.startswith('gymnasium.')


def _render_mode(spec: Any) -> dict[str, str]:
  """Asks for images where an environment can draw them. It draws when `render` is called: asking costs nothing."""
  from gymnasium.envs import registration

  creator = spec.entry_point
  if isinstance(creator, str):
    creator = registration.load_env_creator(creator)
  modes = getattr(creator, 'metadata', {}).get('render_modes') or ()
  return {'render_mode': 'rgb_array'} if 'rgb_array' in modes else {}
