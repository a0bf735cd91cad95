"""MuJoCo without a display, and what it warns of."""

import logging
import os
import subprocess
import sys

import mujoco
import pytest

from tfacme import environments, errors
from tfacme.environments import mujoco_settings

_CHOICE = 'MUJOCO_GL'


@pytest.fixture
def libraries(monkeypatch):
  """Which libraries are there, on a machine without a display."""
  for name in (_CHOICE, 'DISPLAY', 'WAYLAND_DISPLAY'):
    monkeypatch.delenv(name, raising=False)
  there = set()
  monkeypatch.setattr(mujoco_settings, '_is_there', there.__contains__)
  yield there
  os.environ.pop(_CHOICE, None)  # `monkeypatch` then brings back what was there.


@pytest.mark.parametrize(
  'there, chosen', [({'libEGL.so.1', 'libOSMesa.so.8'}, 'egl'), ({'libOSMesa.so.6'}, 'osmesa'), (set(), None)]
)
def test_it_draws_with_what_is_there(there, chosen, libraries):
  libraries |= there
  mujoco_settings.prepare()
  assert os.environ.get(_CHOICE) == chosen


@pytest.mark.parametrize('name, value', [('DISPLAY', ':0'), ('WAYLAND_DISPLAY', 'wayland-0'), (_CHOICE, 'osmesa')])
def test_a_display_and_a_users_choice_stay(name, value, libraries, monkeypatch):
  libraries.add('libEGL.so.1')
  monkeypatch.setenv(name, value)
  mujoco_settings.prepare()
  assert os.environ.get(_CHOICE) == (value if name == _CHOICE else None)


_DRAWS = """
import gymnasium  # Before tfacme, as a user's module may do.
from tfacme import environments

environment = environments.make('gym:HalfCheetah-v5')
environment.reset()
picture = environment.render()
print(picture.shape, int(picture.max()) > int(picture.min()))
"""


def test_a_gymnasium_environment_draws_without_a_display(tmp_path):
  """In a process of its own: MuJoCo reads the choice when it is imported."""
  plain = {name: value for name, value in os.environ.items() if name not in (_CHOICE, 'DISPLAY', 'WAYLAND_DISPLAY')}
  path = os.pathsep.join(filter(None, sys.path))
  ended = subprocess.run(
    [sys.executable, '-c', _DRAWS],
    cwd=tmp_path,
    env={**plain, 'PYTHONPATH': path},
    capture_output=True,
    text=True,
    check=False,
  )
  assert ended.stdout == '(480, 480, 3) True\n', ended.stderr
  assert os.listdir(tmp_path) == []


def test_what_it_can_not_draw_with_is_told(monkeypatch):
  environment = environments.make('gym:HalfCheetah-v5')
  environment.reset()

  def fail():
    raise RuntimeError('an OpenGL platform library has not been loaded')

  monkeypatch.setattr(environment.environment._environment, 'render', fail)
  with pytest.raises(
    errors.UserError, match=r'gym:HalfCheetah-v5 can not draw itself here \(an OpenGL .*\); install EGL'
  ):
    environment.render()


def test_its_warnings_are_ours_and_write_no_file(tmp_path, monkeypatch, caplog):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(mujoco_settings, '_told', set())
  before = mujoco.get_mju_user_warning()
  mujoco.set_mju_user_warning(None)
  try:
    with caplog.at_level(logging.WARNING, 'tfacme'):
      environment = environments.make('gym:HalfCheetah-v5')
    assert not caplog.messages  # Its model has an attribute that will go, which is no user's matter.
    environment.reset()
    data, model = (getattr(environment.environment._environment.unwrapped, name) for name in ('data', 'model'))
    with caplog.at_level(logging.WARNING, 'tfacme'):
      for _ in range(3):
        data.qpos[0] = float('nan')
        mujoco.mj_step(model, data)
        mujoco.mj_resetData(model, data)
    assert len(caplog.messages) == 1 and caplog.messages[0].startswith('MuJoCo warns: ')
    assert 'QPOS' in caplog.messages[0] and '\n' not in caplog.messages[0]
    assert os.listdir(tmp_path) == []
    kept = mujoco.get_mju_user_warning()
    mujoco_settings.listen()
    assert mujoco.get_mju_user_warning() is kept
  finally:
    mujoco.set_mju_user_warning(before)


def test_the_control_suite_asks_the_same_place(monkeypatch):
  asked = []
  monkeypatch.setattr(mujoco_settings, 'prepare', lambda: asked.append(True))
  environments.factory('dm_control:cartpole:swingup')
  environments.factory('gym:HalfCheetah-v5')
  environments.factory(f'{__name__}:make')
  assert len(asked) == 3


def make():
  """An environment of one's own."""
