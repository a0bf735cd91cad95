"""What is said of an environment with another interface than the one of dm_env."""

import sys
import types

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from tests.contract import environment as toys
from tfacme import environments, errors, interfaces, specs
from tfacme.environments import gym_adapter


def _class(name, module, base=object, **members):
  """A class as it would come from another library."""
  return type(name, (base,), {'__module__': module, **members})


GYM = _class('Env', 'gym.core', observation_space=None, action_space=None)
AEC = _class('AECEnv', 'pettingzoo.utils.env', possible_agents=(), observation_space=print, action_space=print)
PARALLEL = _class('ParallelEnv', 'pettingzoo.utils.env')
STABLE_BASELINES = _class('DummyVecEnv', 'stable_baselines3.common.vec_env', num_envs=4, observation_space=None)


class Gymnasium(gymnasium.Env):
  observation_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
  action_space = spaces.Discrete(2)


KINDS = {
  'gym': (lambda: _class('Mine', 'mine', GYM)(), 'mine.Mine, of gym 0.26', 'GymV26CompatibilityV0'),
  'pettingzoo': (lambda: _class('Chess', 'mine', AEC)(), 'mine.Chess, which is PettingZoo', 'plays for one of them'),
  'parallel': (_class('Ants', 'mine', PARALLEL), 'mine.Ants, which is PettingZoo', 'plays for one of them'),
  'vector': (
    lambda: gymnasium.make_vec('CartPole-v1', num_envs=2, vectorization_mode='sync'),
    'SyncVectorEnv, which is many environments in one',
    'Layout(slots=8)',
  ),
  'another vector': (STABLE_BASELINES, 'DummyVecEnv, which is many environments in one', '--slots 8'),
  'gymnasium': (
    Gymnasium,
    'Gymnasium, with the interface of Gymnasium',
    'gym_adapter.GymEnvironment(environment, seed)',
  ),
  'class': (lambda: toys.TwoStates, 'the class tfacme.testing.environments.TwoStates', 'call it, to make one'),
  'function': (lambda: toys.record, 'builtins.function, which is something that can be called', 'not what makes it'),
  'nothing': (lambda: None, 'None', 'end what makes it with `return environment`'),
  'anything': (dict, 'builtins.dict, and it has to be a dm_env.Environment.', ''),
}


@pytest.mark.parametrize('kind', KINDS)
def test_what_makes_no_environment_of_dm_env_is_told_what_to_do(kind, monkeypatch):
  monkeypatch.setitem(sys.modules, 'gym', types.SimpleNamespace(__version__='0.26.2'))
  make, what, fix = KINDS[kind]

  def mine(seed):
    del seed
    return make()

  with pytest.raises(errors.UserError) as caught:
    specs.read_spec(mine, 0)
  said = str(caught.value)
  assert said.startswith('What makes the environment (') and '.mine) returned ' in said
  assert what in said and fix in said and 'has to be a dm_env.Environment' in said and '\n' not in said


@pytest.mark.parametrize('version', ['0.21.0', '0.25.2', ''])
def test_gym_before_0_26_is_another_one(version, monkeypatch):
  monkeypatch.setitem(sys.modules, 'gym', types.SimpleNamespace(__version__=version))
  what, fix = interfaces.describe(_class('Mine', 'mine', GYM)())
  assert 'of gym before 0.26' in what and 'GymV21CompatibilityV0' in fix


def test_nothing_of_an_environment_runs_while_it_is_looked_at():
  class Sensitive:
    @property
    def num_envs(self):
      raise RuntimeError('not now')

  assert interfaces.is_vector(Sensitive())


@pytest.mark.parametrize('kind', ['gym', 'pettingzoo', 'parallel', 'vector', 'another vector', 'class', 'nothing'])
def test_the_adapter_takes_only_what_it_can_adapt(kind, monkeypatch):
  monkeypatch.setitem(sys.modules, 'gym', types.SimpleNamespace(__version__='0.26.2'))
  make, what, fix = KINDS[kind]
  with pytest.raises(errors.UserError) as caught:
    gym_adapter.GymEnvironment(make())
  assert what in str(caught.value) and fix in str(caught.value)


def test_the_adapter_names_spaces_that_are_not_gymnasiums():
  space = _class('Box', 'gym.spaces.box')()
  with pytest.raises(errors.UserError, match='space gym.spaces.box.Box, and has to have one of gymnasium.spaces'):
    gym_adapter.GymEnvironment(types.SimpleNamespace(observation_space=space))
  with pytest.raises(errors.UserError, match='is a dm_env.Environment already'):
    gym_adapter.GymEnvironment(toys.TwoStates(seed=0))


def test_a_wrapper_that_returns_something_else_is_named():
  factory = environments.factory('bsuite:catch/0').wrapped(_unwrapped)
  with pytest.raises(errors.UserError, match='The wrapper _unwrapped around bsuite:catch/0 returned None'):
    factory(0)


def _unwrapped(environment):
  del environment
