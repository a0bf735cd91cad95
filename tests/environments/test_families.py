"""The families of environments that are adapters of our own: their steps, ends, seeds and pictures."""

import numpy as np
import pytest
import tree

from tfacme import environments, errors, specs

_IDS = ['dm_control:cartpole:swingup', 'minatar:breakout', 'atari:Pong', 'gym:HalfCheetah-v5']


def _actions(environment, count, seed=0):
  spec, rng = environment.action_spec(), np.random.default_rng(seed)
  for _ in range(count):
    if specs.is_discrete(spec):
      yield np.int32(rng.integers(spec.num_values))
    else:
      yield rng.uniform(spec.minimum, spec.maximum, spec.shape).astype(np.float32)


def _play(environment_id, seed, count=60):
  environment = environments.make(environment_id, seed)
  spec = specs.environment_spec(environment)
  timesteps = [environment.reset()]
  for action in _actions(environment, count):
    timesteps.append(environment.step(action))
  for timestep in timesteps:
    tree.map_structure(lambda part, value: part.validate(value), spec.observations, timestep.observation)
  environment.close()
  return timesteps


@pytest.mark.parametrize('environment_id', _IDS)
def test_it_keeps_to_its_spec_and_repeats_with_its_seed(environment_id):
  first, again = _play(environment_id, 1), _play(environment_id, 1)
  for one, other in zip(first, again):
    tree.map_structure(np.testing.assert_array_equal, one.observation, other.observation)
    assert (one.reward, one.discount, one.step_type) == (other.reward, other.discount, other.step_type)
  other = _play(environment_id, 2)
  assert any(
    not np.array_equal(a, b)
    for one, another in zip(first, other)
    for a, b in zip(tree.flatten(one.observation), tree.flatten(another.observation))
  )


def test_the_control_suite_cuts_its_episodes_off():
  environment = environments.make('dm_control:cartpole:balance', 0)
  timestep, steps = environment.reset(), 0
  while not timestep.last():
    timestep = environment.step(np.zeros(1, np.float32))
    steps += 1
  assert steps == 1000
  assert timestep.discount == 1.0
  assert set(timestep.observation) == {'position', 'velocity'}
  assert timestep.observation['position'].dtype == np.float32


def test_minatar_terminates_and_goes_on_with_a_reset():
  environment = environments.make('minatar:breakout', 0)
  timestep = environment.reset()
  for action in _actions(environment, 1000):
    timestep = environment.step(action)
    if timestep.last():
      break
  assert timestep.last() and timestep.discount == 0.0
  assert environment.step(np.int32(0)).first()
  assert timestep.observation.shape == (10, 10, 4)
  assert set(np.unique(timestep.observation)) <= {0.0, 1.0}
  assert environment.action_spec().num_values == 3  # nothing, left, right
  assert environment.render().shape == (10, 10, 3)


def test_an_atari_step_is_four_frames():
  environment = environments.make('atari:Pong', 0)
  timestep = environment.reset()
  assert (timestep.observation.shape, timestep.observation.dtype) == ((84, 84, 4), np.uint8)
  game = environment.environment.environment._environment.unwrapped.ale
  before = game.getEpisodeFrameNumber()
  following = environment.step(np.int32(0))
  assert game.getEpisodeFrameNumber() - before == 4
  np.testing.assert_array_equal(following.observation[..., :3], timestep.observation[..., 1:])
  assert environment.action_spec().num_values == 6


@pytest.mark.parametrize(
  'environment_id, says',
  [
    ('dm_control:cartpole:swingop', 'did you mean dm_control:cartpole:swingup'),
    ('dm_control:cartpole', 'dm_control:cartpole:'),
    ('minatar:brakeout', 'did you mean minatar:breakout'),
    ('atari:Pongg', 'did you mean atari:Pong'),
  ],
)
def test_a_wrong_id_is_answered_with_the_nearest(environment_id, says):
  with pytest.raises(errors.UserError, match=says):
    environments.factory(environment_id)
