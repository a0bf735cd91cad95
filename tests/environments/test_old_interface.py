"""Environments that speak as they did before Gymnasium 0.26."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from tfacme import environments, errors
from tfacme.environments import gym_adapter


class New(gymnasium.Env):
  """As it is now."""

  observation_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
  action_space = spaces.Discrete(2)

  def reset(self, seed=None, options=None):
    return np.zeros(2, np.float32), {}

  def step(self, action):
    return np.zeros(2, np.float32), 0.0, False, False, {}


class WithoutSeed(New):
  def reset(self):  # pylint: disable=arguments-differ
    return np.zeros(2, np.float32)


class WithoutInfo(New):
  def reset(self, seed=None, options=None):
    return np.zeros(2, np.float32)  # Two numbers: they would unpack.


class WithDone(New):
  def step(self, action):
    return np.zeros(2, np.float32), 0.0, False, {}


OLD = {WithoutSeed: 'reset takes no seed=', WithoutInfo: 'reset does not return two', WithDone: 'step does not return'}


@pytest.mark.parametrize('kind', OLD)
@pytest.mark.parametrize('registered', [False, True])
def test_it_is_told_what_is_old(kind, registered, monkeypatch):
  environment = _made(kind, registered, monkeypatch)
  with pytest.raises(errors.UserError) as caught:
    environment.reset()
    environment.step(np.int32(0))
  assert f'gym:Old-v0 has the interface from before Gymnasium 0.26, since its {OLD[kind]}' in str(caught.value)
  assert 'migration_guide' in str(caught.value)


class Forgetful(New):
  def reset(self, seed=None, options=None):
    del seed, options


class Absent(New):
  def step(self, action):
    del action


@pytest.mark.parametrize('kind, method', [(Forgetful, 'reset'), (Absent, 'step')])
@pytest.mark.parametrize('registered', [False, True])
def test_nothing_returned_is_told_with_its_place(kind, method, registered, monkeypatch):
  environment = _made(kind, registered, monkeypatch)
  says = (
    rf'{kind.__name__}.{method} \(.*test_old_interface.py, line \d+\) returned None, and has to return an observation'
  )
  with pytest.raises(errors.UserError, match=says):
    environment.reset()
    environment.step(np.int32(0))


def _made(kind, registered, monkeypatch):
  if not registered:
    return gym_adapter.GymEnvironment(kind(), seed=1, name='gym:Old-v0')
  # Gymnasium puts wrappers around it, which have errors of their own.
  spec = gymnasium.envs.registration.EnvSpec('Old-v0', entry_point=kind, max_episode_steps=5)
  monkeypatch.setitem(gymnasium.registry, 'Old-v0', spec)
  return environments.make('gym:Old-v0')


def test_mistakes_in_an_environment_keep_their_traceback():
  class Mistaken(New):
    def reset(self, seed=None, options=None):
      raise TypeError('the seed is out of sorts')

    def step(self, action):
      raise ValueError('not enough values to unpack (expected 5, got 4)')  # of its own

  environment = gym_adapter.GymEnvironment(Mistaken(), seed=1)
  with pytest.raises(TypeError, match='out of sorts'):
    environment.reset()
  environment._needs_reset = False
  with pytest.raises(ValueError, match='expected 5, got 4'):
    environment.step(np.int32(0))


def test_what_is_registered_and_no_gymnasium_environment(monkeypatch):
  class Alien:
    def __init__(self, **kwargs):
      del kwargs

  spec = gymnasium.envs.registration.EnvSpec('Alien-v0', entry_point=Alien)
  monkeypatch.setitem(gymnasium.registry, 'Alien-v0', spec)
  with pytest.raises(
    errors.UserError, match=r'gym:Alien-v0 can not be made \(The environment must inherit from the gym'
  ):
    environments.make('gym:Alien-v0')
  only_vector = gymnasium.envs.registration.EnvSpec('Many-v0', vector_entry_point='somewhere:Many')
  monkeypatch.setitem(gymnasium.registry, 'Many-v0', only_vector)
  with pytest.raises(errors.UserError, match='Many-v0 registered but entry_point is not specified'):
    environments.make('gym:Many-v0')
  assert 'gym:Many-v0' not in [name for name, _ in environments.known()]
