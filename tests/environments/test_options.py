"""What is set of an environment by name."""

import pickle

import cloudpickle
import numpy as np
import pytest

from tfacme import environments, errors
from tfacme.environments import wrappers
from tfacme.runs import naming


def test_wrappers_by_name_stand_in_the_order_of_the_fields():
  factory = environments.factory(
    'gym:Pendulum-v1',
    observation_action_reward=True,
    frame_stack=3,
    canonical_action=True,
    step_limit=7,
    action_repeat=2,
  )
  environment, kinds = factory.wrapped(wrappers.EpisodeStatistics)(0), []
  while isinstance(environment, wrappers.EnvironmentWrapper):
    kinds.append(type(environment).__name__)
    environment = environment.environment
  inside = ['ObservationActionReward', 'FrameStacking', 'CanonicalAction', 'StepLimit', 'ActionRepeat']
  assert kinds == ['EpisodeStatistics', *inside, 'SinglePrecision']
  environment = factory(0)
  assert environment.observation_spec().observation.shape == (9,)
  assert environment.action_spec().maximum == 1.0
  environment.reset()
  steps = 1
  while not environment.step(np.zeros(1, np.float32)).last():
    steps += 1
  assert steps == 7


def test_a_factory_with_options_is_a_value():
  made = [
    environments.factory('bsuite:catch/0', kwargs=kwargs, frame_stack=4)
    for kwargs in ({'rows': 6, 'columns': 3}, {'columns': 3, 'rows': 6})
  ]
  assert made[0] == made[1] == pickle.loads(cloudpickle.dumps(made[0])) and hash(made[0]) == hash(made[1])
  assert made[0] != environments.factory('bsuite:catch/0', kwargs={'rows': 6}, frame_stack=4)
  given = environments.Options(frame_stack=4)
  assert environments.factory('bsuite:catch/0', given, kwargs={'columns': 3, 'rows': 6}) == made[0]
  assert made[0](0).observation_spec().shape == (6, 3, 4)


def test_other_options_are_another_run():
  names = [
    naming.name(environments.factory('bsuite:catch/0', **settings))
    for settings in ({}, {'frame_stack': 2}, {'kwargs': {'rows': 6}}, {'kwargs': {'rows': '6'}})
  ]
  assert names[0] == 'bsuite:catch/0' and len(set(names)) == 4


@pytest.mark.parametrize(
  'environment_id, kwargs, shape',
  [
    ('gym:FrozenLake-v1', {'map_name': '8x8'}, ()),
    ('bsuite:deep_sea/0', {'size': 4}, (4, 4)),
    ('bsuite:deep_sea_stochastic/0', {'size': 4}, (4, 4)),
    ('bsuite:memory_len/3', {'memory_length': 2}, (1, 3)),
    ('minatar:breakout', {'sticky_action_prob': 0.0}, (10, 10, 4)),
    ('atari:Pong', {'stack': 1, 'screen_size': 42, 'full_action_space': True}, (42, 42, 1)),
  ],
)
def test_kwargs_reach_what_makes_an_environment(environment_id, kwargs, shape):
  environment = environments.make(environment_id, 1, kwargs=kwargs)
  assert environment.observation_spec().shape == shape
  environment.reset()


def test_kwargs_change_what_happens():
  lake = environments.make('gym:FrozenLake-v1', kwargs={'map_name': '8x8', 'max_episode_steps': 3})
  assert lake.observation_spec().num_values == 64
  assert [lake.step(0).last() for _ in range(4)] == [False, False, False, True]
  assert environments.make('atari:Pong', kwargs={'full_action_space': True}).action_spec().num_values == 18


def test_kwargs_of_a_control_task():
  environment = environments.make(
    'dm_control:cartpole:swingup', kwargs={'time_limit': 0.05, 'control_timestep': 0.01, 'flat_observation': True}
  )
  assert list(environment.observation_spec()) == ['observations']
  environment.reset()
  steps = 1
  while not environment.step(np.zeros(1, np.float32)).last():
    steps += 1
  assert steps == 5


@pytest.mark.parametrize(
  'environment_id, settings, message',
  [
    ('bsuite:catch/0', {'frame_stak': 4}, "no setting of an environment 'frame_stak'; did you mean frame_stack"),
    ('bsuite:catch/0', {'frame_stack': 1.5}, 'frame_stack is 1.5, and has to be a whole number'),
    ('bsuite:catch/0', {'kwargs': ['rows']}, r"kwargs of an environment are \['rows'\], and have to be a dict"),
    ('bsuite:catch/0', {'kwargs': {'row': 3}}, "no keyword argument of bsuite:catch/0 'row'; did you mean rows"),
    ('bsuite:catch/0', {'kwargs': {'seed': 3}}, "no keyword argument of bsuite:catch/0 'seed'"),
    ('minatar:breakout', {'kwargs': {'sticky': 0.1}}, 'did you mean sticky_action_prob'),
    ('atari:Pong', {'kwargs': {'frameskip': 1}}, 'did you mean frame_skip'),
    ('dm_control:cartpole:swingup', {'kwargs': {'height': 1}}, "keyword argument of dm_control.* 'height'"),
    (
      'gym:FrozenLake-v1',
      {'kwargs': {'slip': 1}},
      r"can not be made with the kwargs {'slip': 1} \(TypeError: .*'slip'",
    ),
    ('gym:FrozenLake-v1', {'kwargs': {'map_name': '9'}}, r"the kwargs {'map_name': '9'} \(KeyError: '9'\)"),
  ],
)
def test_a_wrong_setting_is_a_sentence(environment_id, settings, message):
  with pytest.raises(errors.UserError, match=message) as caught:
    environments.make(environment_id, **settings)
  assert '\n' not in str(caught.value)
