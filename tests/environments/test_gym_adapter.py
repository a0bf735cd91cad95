"""Gymnasium environments as dm_env environments: spaces, ends of episodes, images."""

import dm_env
import gymnasium
import numpy as np
import pytest
import tree
from absl.testing import absltest
from dm_env import specs, test_utils
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from tfacme import environments, errors
from tfacme.environments import gym_adapter, wrappers


class Scripted(gymnasium.Env):
  """Plays a script of (reward, terminated, truncated), with whatever observations and spaces are asked for."""

  def __init__(self, script=(), observation_space=None, action_space=None, observation=None):
    self.script = list(script)
    self.observation_space = observation_space or spaces.Box(-1.0, 1.0, (2,), np.float32)
    self.action_space = action_space or spaces.Discrete(2)
    self.observation = np.zeros(2, np.float32) if observation is None else observation
    self.actions, self.seeds = [], []

  def reset(self, seed=None, options=None):
    self.seeds.append(seed)
    self.left = list(self.script)
    return self.observation, {}

  def step(self, action):
    self.actions.append(action)
    return self.observation, *self.left.pop(0), {}


class CartPoleTest(test_utils.EnvironmentTestMixin, absltest.TestCase):
  def make_object_under_test(self):
    return environments.make('gym:CartPole-v1', seed=0)


class PendulumTest(test_utils.EnvironmentTestMixin, absltest.TestCase):
  def make_object_under_test(self):
    return environments.make('gym:Pendulum-v1', seed=0)

  def make_action_sequence(self):
    yield from [self.make_action()] * 205  # Past the time limit of 200.


class BlackjackTest(test_utils.EnvironmentTestMixin, absltest.TestCase):
  """Observations are a tuple of discrete values."""

  def make_object_under_test(self):
    return environments.make('gym:Blackjack-v1', seed=0)


class FrozenLakeTest(test_utils.EnvironmentTestMixin, absltest.TestCase):
  """Observations are Python ints."""

  def make_object_under_test(self):
    return environments.make('gym:FrozenLake-v1', seed=0)


@pytest.mark.parametrize(
  'terminated,truncated,discount', [(True, False, 0.0), (False, True, 1.0), (True, True, 0.0), (False, False, 1.0)]
)
def test_how_an_episode_ends(terminated, truncated, discount):
  environment = gym_adapter.GymEnvironment(Scripted([(2.5, terminated, truncated)]))
  environment.reset()
  timestep = environment.step(0)
  assert timestep.last() == (terminated or truncated)
  assert timestep.discount == discount and timestep.discount.dtype == np.float32
  assert timestep.reward == 2.5 and timestep.reward.dtype == np.float32
  if timestep.last():
    assert environment.step(0).first()


def test_cartpole_terminates_and_is_truncated():
  environment = environments.make('gym:CartPole-v1', seed=0)
  environment.reset()
  while not (timestep := environment.step(np.int32(0))).last():
    pass
  assert timestep.discount == 0.0
  environment = environments.make('gym:Pendulum-v1', seed=0)
  environment.reset()
  steps = 1
  while not (timestep := environment.step(np.zeros(1, np.float32))).last():
    steps += 1
  assert (steps, timestep.discount) == (200, 1.0)


def test_only_the_first_reset_is_seeded():
  scripted = Scripted([(0.0, True, False)])
  environment = gym_adapter.GymEnvironment(scripted, seed=5)
  environment.reset()
  environment.step(0)
  environment.step(0)
  environment.reset()
  assert scripted.seeds == [5, None, None]


@pytest.mark.parametrize('reward', [1, 1.0, np.float64(1), np.int64(1), np.ones(()), np.ones((1,)), True])
def test_rewards_of_any_type_become_float32_scalars(reward):
  environment = gym_adapter.GymEnvironment(Scripted([(reward, False, False)]))
  environment.reset()
  got = environment.step(0).reward
  assert environment.reward_spec().validate(got) == 1.0


_FLOATS = st.sampled_from([np.float32, np.float64])
_SHAPES = st.lists(st.integers(1, 3), max_size=3).map(tuple)
_LEAF_SPACES = st.one_of(
  st.builds(lambda n, start: spaces.Discrete(n, start=start), st.integers(1, 9), st.integers(-5, 5)),
  st.builds(lambda shape, dtype: spaces.Box(-2.0, np.inf, shape, dtype), _SHAPES, _FLOATS),
  st.builds(lambda shape: spaces.Box(0, 255, shape, np.uint8), _SHAPES),
  st.builds(spaces.MultiBinary, st.integers(1, 4)),
  st.builds(lambda n: spaces.MultiDiscrete(n, start=[3] * len(n)), st.lists(st.integers(1, 5), min_size=1, max_size=3)),
)
_SPACES = st.recursive(
  _LEAF_SPACES,
  lambda inner: st.one_of(
    st.dictionaries(st.sampled_from('abc'), inner, min_size=1).map(spaces.Dict),
    st.lists(inner, min_size=1, max_size=3).map(spaces.Tuple),
  ),
  max_leaves=4,
)


@settings(max_examples=60, deadline=None)
@given(_SPACES, st.integers(0, 100), st.booleans())
def test_every_space_has_a_spec_that_its_samples_fit(space, seed, is_single):
  space.seed(seed)
  environment = gym_adapter.GymEnvironment(Scripted(observation_space=space, observation=space.sample()))
  if is_single:
    environment = wrappers.SinglePrecision(environment)
  observation = environment.reset().observation
  tree.assert_same_structure(observation, environment.observation_spec())
  tree.map_structure(lambda value, spec: spec.validate(value), observation, environment.observation_spec())
  dtypes = {spec.dtype for spec in tree.flatten(environment.observation_spec())}
  assert not is_single or not dtypes & {np.dtype(np.float64), np.dtype(np.int64)}


@settings(max_examples=60, deadline=None)
@given(_SPACES)
def test_actions_of_the_spec_are_in_the_space(space):
  scripted = Scripted([(0.0, False, False)], action_space=space)
  environment = wrappers.SinglePrecision(gym_adapter.GymEnvironment(scripted))
  environment.reset()
  environment.step(tree.map_structure(lambda spec: spec.generate_value(), environment.action_spec()))
  assert space.contains(scripted.actions[0])


def test_discrete_spaces_count_from_zero():
  space = spaces.Discrete(3, start=10)
  scripted = Scripted([(0.0, False, False)], observation_space=space, action_space=space, observation=np.int64(12))
  environment = gym_adapter.GymEnvironment(scripted)
  assert environment.reset().observation == 2
  environment.step(np.int32(1))
  assert scripted.actions == [11]
  assert isinstance(environment.action_spec(), specs.DiscreteArray) and environment.action_spec().num_values == 3


def test_several_choices_at_once_are_vectors_of_choices():
  space = spaces.Dict(
    grid=spaces.MultiDiscrete([[2, 3], [4, 5]], start=[[1, 1], [0, 7]]),
    bits=spaces.MultiBinary((2, 2)),
    pair=spaces.Tuple([spaces.Discrete(3, start=-1), spaces.Box(-2.0, 2.0, (2,))]),
  )
  scripted = Scripted([(0.0, False, False)], action_space=space)
  environment = wrappers.SinglePrecision(gym_adapter.GymEnvironment(scripted))
  spec = environment.action_spec()
  assert spec['grid'].num_values.tolist() == [2, 3, 4, 5] and spec['bits'].num_values.tolist() == [2] * 4
  assert spec['pair'][0].num_values == 3 and isinstance(spec['pair'], tuple)
  assert {part.dtype for part in tree.flatten(spec)} == {np.dtype(np.int32), np.dtype(np.float32)}
  environment.reset()
  action = {'grid': np.array([1, 2, 0, 4]), 'bits': np.array([0, 1, 1, 1]), 'pair': (2, np.array([0.5, -1.0]))}
  environment.step(tree.map_structure(lambda part, value: np.asarray(value, part.dtype), spec, action))
  taken = scripted.actions[0]
  assert space.contains(taken)
  assert taken['grid'].tolist() == [[2, 3], [0, 11]] and taken['bits'].tolist() == [[0, 1], [1, 1]]
  assert taken['bits'].dtype == np.int8 and taken['pair'][0] == 1 and taken['pair'][1].tolist() == [0.5, -1.0]


def test_observations_of_several_choices_are_choices_and_bits_are_numbers():
  space = spaces.Tuple([spaces.MultiDiscrete([3, 4], start=[1, 0]), spaces.MultiBinary(2)])
  scripted = Scripted(observation_space=space, observation=(np.array([3, 0]), np.array([1, 0])))
  environment = gym_adapter.GymEnvironment(scripted)
  choices, bits = environment.observation_spec()
  assert choices.num_values.tolist() == [3, 4]
  assert type(bits) is specs.BoundedArray and bits.maximum.tolist() == 1
  assert environment.reset().observation[0].tolist() == [2, 0]


def test_a_choice_among_very_many_does_not_wrap():
  space = spaces.Discrete(10**10)
  environment = wrappers.SinglePrecision(
    gym_adapter.GymEnvironment(Scripted(observation_space=space, observation=10**10 - 1))
  )
  assert environment.observation_spec().num_values == 10**10
  assert environment.observation_spec().validate(environment.reset().observation) == 10**10 - 1


@pytest.mark.parametrize(
  'space, observation, message',
  [
    (spaces.Box(0, 255, (2,), np.uint8), np.array([0.0, 0.7]), 'observation has 0.7, and is of type uint8 there'),
    (spaces.Box(0, 255, (2,), np.uint8), np.array([3, -1]), 'observation has -1, and is of type uint8 there'),
    (spaces.Discrete(3), 2.5, 'observation has 2.5'),
    (spaces.Box(-1.0, 1.0, (2,)), None, 'observation is None, which is of no type of numbers'),
    (spaces.Dict(a=spaces.Discrete(2)), {'b': 1}, "it lacks 'a'"),
    (spaces.Dict(a=spaces.Discrete(2)), 3, 'no element of its observation space'),
    (spaces.Tuple([spaces.Discrete(2)] * 2), (1,), 'no element of its observation space'),
  ],
)
def test_an_observation_of_another_kind_than_its_space(space, observation, message):
  scripted = Scripted(observation_space=space)
  scripted.observation = observation
  environment = gym_adapter.GymEnvironment(scripted, name='gym:Odd-v0')
  with pytest.raises(errors.UserError, match=message) as caught:
    environment.reset()
  assert str(caught.value).startswith('gym:Odd-v0') and '\n' not in str(caught.value)


@pytest.mark.parametrize('reward', [None, np.zeros(2), 'much'])
def test_a_reward_that_is_no_number(reward):
  environment = gym_adapter.GymEnvironment(Scripted([(reward, False, False)]), name='gym:Odd-v0')
  environment.reset()
  with pytest.raises(errors.UserError, match='gym:Odd-v0 returns the reward .*, and has to return a number'):
    environment.step(0)


def test_infinite_and_undefined_bounds():
  space = spaces.Box(np.array([-np.inf, 0.0]), np.array([np.inf, 1.0]), dtype=np.float64)
  space.high[1] = np.nan  # Gymnasium refuses it, but spaces may be changed.
  spec = gym_adapter.GymEnvironment(Scripted(observation_space=space, observation=np.zeros(2))).observation_spec()
  assert spec.minimum.tolist() == [-np.inf, 0.0] and spec.maximum.tolist() == [np.inf, np.inf]


def test_observations_are_copies():
  scripted = Scripted([(0.0, False, False)], observation=np.zeros(2, np.float32))
  first = environments.wrappers.SinglePrecision(gym_adapter.GymEnvironment(scripted)).reset().observation
  scripted.observation[:] = 1.0
  assert not first.any()


def test_spaces_without_a_spec():
  text = spaces.Text(5)
  with pytest.raises(errors.UserError, match=r'gym:Talk-v0 has an observation space Text\(.*no dm_env spec') as caught:
    gym_adapter.GymEnvironment(Scripted(observation_space=spaces.Dict(said=text)), name='gym:Talk-v0')
  assert '\n' not in str(caught.value)
  with pytest.raises(errors.UserError, match=r'an action space Sequence\('):
    gym_adapter.GymEnvironment(Scripted(action_space=spaces.Sequence(text)))


def test_an_observation_that_does_not_fit_its_space():
  space = spaces.Dict(eye=spaces.Box(0.0, 1.0, (3,)))
  environment = gym_adapter.GymEnvironment(Scripted(observation_space=space, observation={'eye': np.zeros(2)}))
  with pytest.raises(errors.UserError, match=r'observation/eye of shape \(2,\), and its observation space says \(3,\)'):
    environment.reset()


def test_images_cost_nothing_until_they_are_asked_for():
  environment = environments.make('gym:CartPole-v1')
  environment.reset()
  environment.step(np.int32(0))
  game = environment.environment._environment.unwrapped
  assert game.screen is None
  image = environment.render()
  assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[-1] == 3


def test_an_environment_that_can_not_draw():
  environment = gym_adapter.GymEnvironment(Scripted(), name='gym:Blind-v0')
  with pytest.raises(errors.UserError, match='gym:Blind-v0 can not draw itself'):
    environment.render()


def test_a_registered_function_that_takes_no_render_mode(monkeypatch):
  spec = gymnasium.envs.registration.EnvSpec('Plain-v0', entry_point=lambda: Scripted([(1.0, True, False)]))
  monkeypatch.setitem(gymnasium.registry, 'Plain-v0', spec)
  environment = environments.make('gym:Plain-v0')
  environment.reset()
  assert environment.step(np.int32(0)).step_type == dm_env.StepType.LAST
