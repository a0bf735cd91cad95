"""The tasks of the DeepMind Control Suite: `dm_control:DOMAIN:TASK`, and `dm_control:DOMAIN:TASK:pixels`.

Tunyasuvunakool et al., dm_control: Software and tasks for continuous control, 2020 (https://arxiv.org/abs/2006.12983).
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

import dm_env
import numpy as np

from tfacme import errors
from tfacme.environments import keywords, mujoco_settings, packages
from tfacme.environments.wrappers import base

_PIXELS = {'height': 84, 'width': 84, 'camera_id': 0}
_PICTURE = {'height': 240, 'width': 320, 'camera_id': 0}


def check(name: str) -> None:
  """Raises a `UserError` unless dm_control is installed and its suite has the task `name` (`cartpole:swingup`)."""
  packages.require('dm_control', f'dm_control:{name}')
  tasks = _tasks()
  task, _, rest = name.partition(':pixels')
  if task not in tasks or rest:
    known_ids = (f'dm_control:{known_task}' for known_task in tasks)
    hint = 'the ids are dm_control:DOMAIN:TASK, such as dm_control:cartpole:swingup, with :pixels after it for images.'
    raise errors.unknown('environment', f'dm_control:{name}', known_ids, hint)


def make(name: str, seed: int, kwargs: Mapping[str, Any]) -> dm_env.Environment:
  """Returns the task `name`: observations are a dict of the state's parts, or images uint8 [84, 84, 3].

  An episode is 1,000 steps, at the end of which it is cut off: its last discount is 1.

  Args:
    name: the domain, the task and, for images, `pixels`, with colons between.
    seed: decides what the task draws.
    kwargs: of the task (`time_limit`), of `control.Environment` (`control_timestep`, `flat_observation`) and, for
      images, `height`, `width` and `camera_id`.

  Raises:
    errors.UserError: if there is no such task, or images can't be drawn here.
  """
  check(name)
  from dm_control import suite

  domain, task, *pixels = name.split(':')
  task_kwargs, environment_kwargs, picture = _split(name, kwargs)
  environment = suite.load(domain, task, {'random': seed % 2**32, **task_kwargs}, environment_kwargs or None)
  if not pixels:
    return _Drawn(environment)
  from dm_control.suite.wrappers import pixels as pixels_lib

  picture = {**_PIXELS, **picture}
  _draw(environment, **picture)  # Says so if it can't be done.
  return _Pixels(_Drawn(pixels_lib.Wrapper(environment, pixels_only=True, render_kwargs=picture)))


def known() -> list[tuple[str, str]]:
  """Lists the pattern of the ids: (pattern, what it is); the tasks are known once dm_control is imported."""
  return [
    ('dm_control:DOMAIN:TASK', 'a task of the DeepMind Control Suite, such as dm_control:cartpole:swingup'),
    ('dm_control:DOMAIN:TASK:pixels', 'the same from images, 84 x 84 x 3'),
  ]


def _tasks() -> list[str]:
  mujoco_settings.prepare()
  from dm_control import suite

  return [f'{domain}:{task}' for domain, task in suite.ALL_TASKS]


def _split(name: str, kwargs: Mapping[str, Any]) -> List[Dict[str, Any]]:
  """Keyword arguments of a task, of its environment and of its pictures."""
  from dm_control import suite
  from dm_control.rl import control

  domain, task, *pixels = name.split(':')
  # pylint: disable-next=protected-access  # Nothing public says what a task takes.
  task_names = keywords.names(suite._DOMAINS[domain].SUITE[task], without=('random', 'environment_kwargs'))
  known = [
    task_names,
    keywords.names(control.Environment.__init__, without=('physics', 'task', 'time_limit')),
    list(_PIXELS) if pixels else [],
  ]
  keywords.check(f'dm_control:{name}', kwargs, [name for names in known for name in names])
  return [{name: kwargs[name] for name in names if name in kwargs} for names in known]


def _draw(environment: Any, **settings: int) -> np.ndarray:
  try:
    return environment.physics.render(**settings)
  except Exception as error:  # Each of the libraries that draw has errors of its own.
    reason = ' '.join(str(error).split())[:200].rstrip('.')
    raise errors.UserError(f'MuJoCo can not draw here ({reason}); {mujoco_settings.HINT}.') from error


class _Drawn(base.EnvironmentWrapper):
  """A task that draws itself as others do."""

  def render(self) -> np.ndarray:
    """A picture, uint8 [240, 320, 3]."""
    return _draw(self._environment, **_PICTURE)


class _Pixels(base.EnvironmentWrapper):
  """Takes the one image out of the dict that dm_control puts it into."""

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode."""
    return self._take(self._environment.reset())

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step, or starts an episode if none is going on."""
    return self._take(self._environment.step(action))

  def observation_spec(self) -> Any:
    """Describes the image."""
    return self._environment.observation_spec()['pixels'].replace(name='pixels')

  def _take(self, timestep: dm_env.TimeStep) -> dm_env.TimeStep:
    # Copied, since dm_control gives images that are mirrored views.
    return timestep._replace(observation=np.ascontiguousarray(timestep.observation['pixels']))
