"""What environments give, held against their specs: what is wrong is told in one sentence, and never converted."""

import collections

import dm_env
import numpy as np
import pytest
from dm_env import specs as dm_specs

from tfacme import errors, specs
from tfacme.workers import timesteps

_SCALAR = dm_specs.Array((), np.float32, 'reward')
_DISCOUNT = dm_specs.BoundedArray((), np.float32, 0, 1, 'discount')


def make(observations, rewards=_SCALAR, slots=2):
  """An intake, and the arrays that it fills."""
  import tree

  arrays = [np.zeros((slots, *part.shape), part.dtype) for part in tree.flatten(observations)]
  spec = specs.EnvironmentSpec(observations, dm_specs.DiscreteArray(2), rewards, _DISCOUNT)
  return timesteps.Intake(spec, arrays, lambda slot: f'actor-3 at its step 12, slot {slot}'), arrays


def _refused(observations, value, says, method='observe'):
  intake, arrays = make(observations)
  begin = 'actor-3 at its step 12, slot 1: the environment violates its own observation_spec: '
  with pytest.raises(errors.UserError) as caught:
    getattr(intake, method)(1, value)
  assert str(caught.value) == f'{begin}{says}; fix one or the other.'
  assert all((array == 0).all() for array in arrays)


@pytest.mark.parametrize(
  'value, says',
  [
    (np.zeros(1, np.float32), 'the observation has the shape (1,), and the spec says (3,)'),
    (np.zeros(3, np.float64), 'the observation is of type float64, and the spec says float32'),
    (None, 'the observation is of type object, and the spec says float32'),
    ([0.0, 1.0, 2.0], 'the observation is of type float64, and the spec says float32'),
  ],
)
@pytest.mark.parametrize('method', ['begin', 'observe'])
def test_shape_and_type_are_looked_at_in_every_step(value, says, method):
  _refused(dm_specs.Array((3,), np.float32), value, says, method)


@pytest.mark.parametrize('value', [np.full(2, 0.7, np.float32), np.full(2, -1), np.full(2, 300, np.int16)])
def test_nothing_is_rounded_or_wrapped(value):
  says = f'the observation is of type {value.dtype}, and the spec says uint8'
  _refused(dm_specs.BoundedArray((2,), np.uint8, 0, 255), value, says)


def test_a_type_that_holds_all_values_is_taken():
  intake, (array,) = make(dm_specs.Array((2,), np.float32))
  intake.observe(1, np.array([3, 255], np.uint8))
  intake.observe(0, np.array([1.5, 2.5], np.float16))
  assert array.tolist() == [[1.5, 2.5], [3, 255]]


@pytest.mark.parametrize('low, high, bad', [(0, 1, 2), (-1, [1, 0.5], 0.75)])
def test_bounds_are_looked_at_where_an_episode_begins(low, high, bad):
  spec = dm_specs.BoundedArray((2,), np.float32, low, high)
  value = np.array([0, bad], np.float32)
  upper = float(np.broadcast_to(high, 2)[1])
  wanted = f'the observation has {float(bad)}, and the spec says {spec.minimum.flat[0]} to {upper:g}'
  intake, arrays = make(spec)
  with pytest.raises(errors.UserError, match=wanted.replace('.0', '(.0)?')):
    intake.begin(1, value)
  assert not arrays[0].any()
  intake.observe(1, value)
  intake.begin(0, np.array([1, 0.5], np.float32))
  assert arrays[0].tolist() == [[1, 0.5], [0, bad]]


def test_a_part_without_numbers_is_within_any_bounds():
  intake, arrays = make({'none': dm_specs.BoundedArray((0,), np.float32, -1, 1), 'x': dm_specs.Array((), np.float32)})
  intake.begin(0, {'none': np.zeros(0, np.float32), 'x': np.float32(2)})
  assert arrays[1].tolist() == [2, 0]


def test_a_discrete_observation_has_bounds():
  says = 'the observation has 5, and the spec says 0 to 4'
  _refused(dm_specs.DiscreteArray(5, np.int64), np.int64(5), says, 'begin')


_Pair = collections.namedtuple('_Pair', ['near', 'far'])
_NEST = {
  'b': dm_specs.Array((), np.float32),
  'a': _Pair(dm_specs.Array((2,), np.float32), dm_specs.Array((1,), np.int32)),
}


def test_nests_are_put_down_in_the_order_of_the_flattened_spec():
  intake, (near, far, b) = make(_NEST)
  intake.observe(1, {'a': _Pair(np.array([1, 2], np.float32), np.array([3], np.int32)), 'b': np.float32(4)})
  assert (near.tolist(), far.tolist(), b.tolist()) == ([[0, 0], [1, 2]], [[0], [3]], [0, 4])


@pytest.mark.parametrize(
  'value, says',
  [
    ({'a': ()}, "the observation lacks ['b'] and has nothing beside what it says"),
    ({'a': (), 'c': 0}, "the observation lacks ['b'] and has ['c'] beside what it says"),
    ({'a': (), 'b': 0}, 'the observation/a is a tuple of 0, and the spec says a _Pair of 2'),
    (np.zeros(2), "the observation is of type ndarray, and the spec says a dict of ['a', 'b']"),
    (
      {'a': (np.zeros(1, np.float32), np.zeros(1, np.int32)), 'b': np.float32(0)},
      'the observation/a/near has the shape (1,), and the spec says (2,)',
    ),
  ],
)
def test_a_nest_of_another_structure_is_told_by_what_differs(value, says):
  _refused(_NEST, value, says)


@pytest.mark.parametrize(
  'changes, says',
  [
    ({'reward': None}, 'reward_spec: the reward is None, and the spec says a number'),
    ({'reward': 'much'}, "reward_spec: the reward is 'much', and the spec says a number"),
    ({'reward': np.zeros(2)}, r'reward_spec: the reward has the shape \(2,\), and the spec says \(\)'),
    ({'reward': np.zeros(1)}, r'reward_spec: the reward has the shape \(1,\), and the spec says \(\)'),
    ({'discount': None}, 'discount_spec: the discount is None, and the spec says a number'),
    ({'discount': 7.0}, 'discount_spec: the discount is 7.0, and has to lie between 0 and 1'),
    ({'discount': np.float32(-0.5)}, 'discount_spec: the discount is -0.5, and has to lie between 0 and 1'),
    ({'reward': 10**400}, 'reward_spec: the reward is beyond all real numbers'),
    ({'reward': -1e39}, r'reward_spec: the reward is -1e\+39, and has to lie between -3.40282e\+38 and 3.40282e\+38'),
  ],
)
def test_a_reward_or_a_discount_that_does_not_fit_is_told(changes, says):
  intake, _ = make(dm_specs.Array((3,), np.float32))
  timestep = dm_env.transition(1.0, np.zeros(3, np.float32))._replace(**changes)
  with pytest.raises(errors.UserError, match=f'actor-3 at its step 12, slot 0: .* its own {says}; fix'):
    intake.check_reward(0, timestep)


@pytest.mark.parametrize('reward', [1, 1.0, np.float32(1), np.float64(1), np.array(1.0), True, np.int8(1)])
def test_a_reward_is_any_number(reward):
  make(dm_specs.Array((3,), np.float32))[0].check_reward(0, dm_env.transition(reward, None))


def test_a_reward_of_several_parts():
  intake, _ = make(dm_specs.Array((3,), np.float32), dm_specs.Array((2,), np.float32))
  intake.check_reward(0, dm_env.transition(np.array([1.0, 2.0]), None))
  intake.check_reward(0, dm_env.transition([1.0, 2.0], None))
  with pytest.raises(errors.UserError, match=r'the reward has the shape \(\), and the spec says \(2,\)'):
    intake.check_reward(0, dm_env.transition(1.0, None))
  with pytest.raises(errors.NonFiniteError, match=r'slot 0: the reward is \[ 1. nan\], which the environment gave'):
    intake.check_reward(0, dm_env.transition(np.array([1.0, np.nan]), None))
  with pytest.raises(errors.UserError, match='has to lie between'):
    intake.check_reward(0, dm_env.transition(np.array([1.0, 1e39]), None))


@pytest.mark.parametrize('which', ['reward', 'discount'])
@pytest.mark.parametrize('bad', [np.nan, -np.inf])
def test_what_is_not_finite_is_the_environments(which, bad):
  intake, _ = make(dm_specs.Array((3,), np.float32))
  timestep = dm_env.transition(1.0, None)._replace(**{which: np.float32(bad)})
  with pytest.raises(
    errors.NonFiniteError, match=f'^actor-3 at its step 12, slot 1: the {which} is {bad}, which the envi'
  ):
    intake.check_reward(1, timestep)


@pytest.mark.parametrize(
  'actions, mask',
  [
    (dm_specs.DiscreteArray(3), [False, False, False]),
    (specs.MultiDiscreteArray([2, 2]), [True, False, False, False]),
  ],
)
def test_a_mask_leaves_an_action_where_the_episode_goes_on(actions, mask):
  observations = {'action_mask': dm_specs.BoundedArray((len(mask),), np.bool_, False, True), 'x': _SCALAR}
  arrays = [np.zeros((1, len(mask)), np.bool_), np.zeros(1, np.float32)]
  spec = specs.EnvironmentSpec(observations, actions, _SCALAR, _DISCOUNT)
  intake = timesteps.Intake(spec, arrays, lambda slot: 'actor-0')
  observation = {'action_mask': np.array(mask), 'x': np.float32(1.0)}
  for method in (intake.begin, intake.observe):
    with pytest.raises(errors.UserError, match='its action_mask leaves no legal action, and the episode goes on'):
      method(0, observation)
  intake.observe(0, observation, last=True)
