"""Masks of legal actions that Gymnasium's environments give in their info."""

import gymnasium
import numpy as np
import pytest
import tree
from gymnasium import spaces

from tfacme import environments, errors, specs
from tfacme.environments import gym_adapter, wrappers


class Masked(gymnasium.Env):
  """Three steps long; gives the infos that it is told, one after the other."""

  def __init__(self, infos, action_space, observation_space=None):
    self.infos, self.action_space = list(infos), action_space
    self.observation_space = observation_space or spaces.Discrete(5)

  def reset(self, seed=None, options=None):
    self.left = 3
    return self.observation_space.sample(), self.infos.pop(0)

  def step(self, action):
    self.left -= 1
    return self.observation_space.sample(), 1.0, self.left == 0, False, self.infos.pop(0)


def _make(*args):
  environment = gym_adapter.GymEnvironment(Masked(*args), name='gym:Masked-v0')
  return wrappers.ActionMask(wrappers.SinglePrecision(environment))


def _masks(environment, steps):
  action = environment.action_spec().generate_value()
  timesteps = [environment.reset()] + [environment.step(action) for _ in range(steps)]
  for timestep in timesteps:
    tree.map_structure(lambda part, value: part.validate(value), environment.observation_spec(), timestep.observation)
  return [timestep.observation['action_mask'] for timestep in timesteps]


def test_the_mask_is_a_part_of_the_observation():
  infos = [{'action_mask': np.array(mask, np.int8)} for mask in ([1, 0, 1], [0, 1, 1], [1, 0, 0])] + [{}]
  environment = _make(infos, spaces.Discrete(3))
  assert list(environment.observation_spec()) == ['observation', 'action_mask']
  assert [mask.tolist() for mask in _masks(environment, 3)] == [
    [True, False, True],
    [False, True, True],
    [True, False, False],
    [True, True, True],  # The end of an episode, where it says none.
  ]
  assert specs.environment_spec(environment).observations['action_mask'].shape == (3,)


def test_beside_the_parts_of_a_dict():
  environment = _make([{'action_mask': [1, 1]}], spaces.Discrete(2), spaces.Dict(eye=spaces.Box(0.0, 1.0, (2,))))
  assert sorted(environment.observation_spec()) == ['action_mask', 'eye']
  assert environment.reset().observation['eye'].shape == (2,)


@pytest.mark.parametrize('mask', [[1, 0, 0, 1, 1], ([1, 0], [0, 1, 1])])
def test_of_several_choices_one_after_the_other(mask):
  environment = _make([{'action_mask': mask}], spaces.MultiDiscrete([2, 3]))
  assert _masks(environment, 0)[0].tolist() == [True, False, False, True, True]


def test_of_nested_actions():
  space = spaces.Dict(move=spaces.Discrete(2), force=spaces.Box(-1.0, 1.0, (2,)), bits=spaces.MultiBinary(1))
  environment = _make([{'action_mask': {'move': [0, 1], 'force': None, 'bits': [1, 1]}}], space)
  mask = environment.reset().observation['action_mask']
  assert mask['move'].tolist() == [False, True] and mask['bits'].tolist() == [True, True]
  specs.environment_spec(environment)


@pytest.mark.parametrize(
  'info, message',
  [
    ({'mask': [1, 1]}, r"has no 'action_mask' \(it has \['mask'\]\)"),
    ({'action_mask': [1, 1, 1]}, r'does not fit its actions, for which the shapes are \(2,\)'),
    ({'action_mask': {'a': 1}}, 'does not fit its actions'),
  ],
)
def test_a_mask_that_is_missing_or_wrong_is_a_sentence(info, message):
  with pytest.raises(errors.UserError, match=message):
    _make([info], spaces.Discrete(2)).reset()


def test_what_can_not_be_wrapped():
  with pytest.raises(errors.UserError, match='and this is none'):
    environments.make('bsuite:catch/0', action_mask=True)
  space = spaces.Dict(action_mask=spaces.MultiBinary(2))
  with pytest.raises(errors.UserError, match='have an action_mask already'):
    _make([], spaces.Discrete(2), space)


def test_by_name():
  environment = environments.make('gym:Taxi-v4', action_mask=True, frame_stack=2, observation_action_reward=True)
  inner = environment.observation_spec().observation
  assert inner['observation'].num_values.tolist() == [500, 500] and inner['action_mask'].shape == (6,)
  mask = specs.action_mask(environment.reset().observation)
  assert mask.shape == (6,) and mask.dtype == np.bool_ and not mask.all()
