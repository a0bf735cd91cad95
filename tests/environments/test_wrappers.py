"""The wrappers: conformance to dm_env, and what each of them changes."""

import copy
import functools

import dm_env
import numpy as np
import pytest
import tree
from absl.testing import absltest
from dm_env import specs, test_utils
from hypothesis import given, settings
from hypothesis import strategies as st

from tfacme import environments, errors
from tfacme.environments import leaves, wrappers
from tfacme.specs import MultiDiscreteArray


class Scripted(dm_env.Environment):
  """Plays a script of (reward, discount, last) with observations 0, 1, 2, ... in the shape of a spec.

  Its reward and discount are of double precision, like dm_env's default.
  """

  def __init__(self, script, observation_spec=None, action_spec=None, reward_spec=None):
    self.script, self.actions, self.num_resets = script, [], 0
    self._observation_spec = observation_spec or specs.Array((2,), np.float32)
    self._action_spec = action_spec or specs.DiscreteArray(3)
    self._reward_spec = reward_spec or specs.Array((), np.float64)
    self._left = None

  def reset(self):
    self.num_resets += 1
    self._left, self._row = list(self.script), 0
    return dm_env.restart(self._observe())

  def step(self, action):
    if not self._left:
      return self.reset()
    self.actions.append(action)
    self._row += 1
    reward, discount, last = self._left.pop(0)
    self._left = [] if last else self._left
    return dm_env.TimeStep(dm_env.StepType.LAST if last else dm_env.StepType.MID, reward, discount, self._observe())

  def _observe(self):
    return tree.map_structure(lambda spec: np.full(spec.shape, self._row, spec.dtype), self._observation_spec)

  def observation_spec(self):
    return self._observation_spec

  def action_spec(self):
    return self._action_spec

  def reward_spec(self):
    return self._reward_spec

  def secret(self):
    return 'told'


def _mids(num_steps, reward=1.0, discount=1.0):
  return [(reward, discount, False)] * num_steps


_MIXED_SPEC = {
  'image': specs.BoundedArray((3, 4), np.uint8, 0, 255),
  'vector': specs.Array((2,), np.float64),
  'pair': (specs.DiscreteArray(9, dtype=np.int64), specs.BoundedArray((2,), np.float32, [0, -1], 50)),
}


def _mixed():
  return Scripted(_mids(6) + [(1.0, 0.0, True)], _MIXED_SPEC, specs.BoundedArray((2,), np.float64, [-3, 0.1], [2, 0.7]))


_WRAPPERS = {
  'base': wrappers.EnvironmentWrapper,
  'single': wrappers.SinglePrecision,
  'canonical': wrappers.CanonicalAction,
  'canonical_clip': functools.partial(wrappers.CanonicalAction, clip=True),
  'stacking': functools.partial(wrappers.FrameStacking, num_frames=3),
  'repeat': functools.partial(wrappers.ActionRepeat, num_repeats=2),
  'limit': functools.partial(wrappers.StepLimit, limit=4),
  'oar': wrappers.ObservationActionReward,
  'statistics': wrappers.EpisodeStatistics,
  'all': lambda environment: functools.reduce(
    lambda inner, wrapper: wrapper(inner),
    [
      wrappers.SinglePrecision,
      functools.partial(wrappers.CanonicalAction, clip=True),
      functools.partial(wrappers.ActionRepeat, num_repeats=2),
      functools.partial(wrappers.StepLimit, limit=3),
      functools.partial(wrappers.FrameStacking, num_frames=2),
      wrappers.ObservationActionReward,
      wrappers.EpisodeStatistics,
    ],
    environment,
  ),
}


def _conformance(name, make):
  """The class of dm_env's own tests for the environment that `make` returns."""

  class Conformance(test_utils.EnvironmentTestMixin, absltest.TestCase):
    def make_object_under_test(self):
      return make()

  Conformance.__name__ = Conformance.__qualname__ = name
  return Conformance


for _name, _wrapper in _WRAPPERS.items():
  for _kind, _inner in {
    'Catch': lambda: environments.make('bsuite:catch/0', seed=0),
    'Mixed': _mixed,
    'CartPole': lambda: environments.make('gym:CartPole-v1', seed=0),
  }.items():
    _test = _conformance(f'{_kind}_{_name}_Test', lambda wrapper=_wrapper, inner=_inner: wrapper(inner()))
    globals()[_test.__name__] = _test
del _test


@pytest.mark.parametrize('name', _WRAPPERS)
def test_ends_of_episodes_pass_unchanged(name):
  for discount in (0.0, 1.0, 0.5):
    environment = _WRAPPERS[name](Scripted([(1.0, 1.0, False), (1.0, discount, True)]))
    environment.reset()
    while not (timestep := environment.step(np.int32(0))).last():
      assert timestep.discount == 1.0
    assert timestep.discount == discount
    assert environment.step(np.int32(0)).first()


@pytest.mark.parametrize('name', _WRAPPERS)
def test_other_attributes_are_the_wrapped_ones(name):
  environment = _WRAPPERS[name](_mixed())
  assert environment.secret() == 'told'
  with pytest.raises(AttributeError):
    environment.nothing_of_the_kind()


def test_wrappers_can_be_copied():
  environment = wrappers.EpisodeStatistics(wrappers.SinglePrecision(_mixed()))
  environment.reset()
  other = copy.deepcopy(environment)
  environment.step(np.zeros(2, np.float32))
  assert other.step(np.zeros(2, np.float32)).observation['vector'].tolist() == [1.0, 1.0]


class TestSinglePrecision:
  def test_specs_and_values(self):
    inner = _mixed()
    environment = wrappers.SinglePrecision(inner)
    spec = environment.observation_spec()
    assert spec['vector'].dtype == np.float32 and spec['image'].dtype == np.uint8
    assert spec['pair'][0].dtype == np.int32 and spec['pair'][0].num_values == 9
    assert environment.reward_spec().dtype == environment.discount_spec().dtype == np.float32
    environment.reset()
    timestep = environment.step(np.array([0.0, 0.5], np.float32))
    assert inner.actions[0].dtype == np.float64
    assert timestep.reward.dtype == timestep.discount.dtype == np.float32

  def test_what_is_single_is_not_touched(self):
    inner = environments.make('bsuite:catch/0').environment
    seen = []
    step = inner.step
    inner.step = lambda action: seen.append(step(action)) or seen[-1]
    assert wrappers.SinglePrecision(inner).step(np.int32(0)).observation is seen[0].observation

  def test_actions_have_the_type_of_the_wrapped_spec(self):
    for dtype in (np.int32, np.int64):
      inner = Scripted(_mids(1), action_spec=specs.DiscreteArray(3, dtype=dtype))
      environment = wrappers.SinglePrecision(inner)
      environment.reset()
      environment.step(np.int32(2))
      assert inner.actions == [2] and inner.actions[0].dtype == dtype

  def test_python_numbers_in_place_of_scalars(self):
    inner = Scripted(_mids(1), specs.Array((), np.float32), reward_spec=specs.Array((), np.float32))
    inner._observe = lambda: 1.5
    environment = wrappers.SinglePrecision(inner)
    environment.observation_spec().validate(environment.reset().observation)
    environment.reward_spec().validate(environment.step(np.int32(0)).reward)

  def test_bounds_beyond_the_range(self):
    infinite = np.finfo(np.float64).max
    spec = {
      'real': specs.BoundedArray((1,), np.float64, -infinite, infinite),
      'whole': specs.BoundedArray((1,), np.int64, -(2**40), 2**40),
    }
    single = wrappers.SinglePrecision(Scripted([], spec)).observation_spec()
    assert single['real'].maximum == np.inf and single['real'].minimum == -np.inf
    assert single['whole'] == spec['whole']

  def test_integers_that_may_not_fit_stay_as_they_are(self):
    spec = {
      'many': specs.DiscreteArray(10**10, dtype=np.int64),
      'few': MultiDiscreteArray([3, 2], np.int64),
      'any': specs.Array((2,), np.int64),
      'some': specs.BoundedArray((2,), np.int64, 0, 2**31 - 1),
    }
    environment = wrappers.SinglePrecision(Scripted([], spec))
    single = environment.observation_spec()
    assert {name: part.dtype for name, part in single.items()} == {
      'many': np.int64,
      'few': np.int32,
      'any': np.int64,
      'some': np.int32,
    }
    assert single['few'].num_values.tolist() == [3, 2]
    assert wrappers.single_precision.is_single_precision(environment)

  @settings(max_examples=100, deadline=None)
  @given(st.floats(-1e30, 1e30), st.floats(0, 1e30), st.floats(0, 1))
  def test_bounds_after_rounding(self, low, width, share):
    outer = specs.BoundedArray((1,), np.float64, low, low + width)
    environment = wrappers.SinglePrecision(Scripted([], outer, action_spec=outer))
    value = np.clip([low + share * width], low, low + width)
    environment.observation_spec().validate(value.astype(np.float32))
    action_spec = environment.action_spec()
    if np.nextafter(np.float32(low), np.float32(np.inf)) < low + width:  # Else float32 has no value in between.
      outer.validate(action_spec.minimum.astype(np.float64).reshape(1))
      outer.validate(action_spec.maximum.astype(np.float64).reshape(1))


class TestCanonicalAction:
  def _sent(self, action, clip=False, dtype=np.float32):
    inner = Scripted(_mids(1), action_spec=specs.BoundedArray((2,), dtype, [-3.0, 0.1], [2.0, 0.7]))
    environment = wrappers.CanonicalAction(inner, clip=clip)
    environment.reset()
    environment.step(np.array(action, np.float32))
    assert inner.actions[0].dtype == dtype
    return inner.actions[0], inner.action_spec()

  def test_scales(self):
    sent, spec = self._sent([-1, 1])
    assert sent[0] == spec.minimum[0] and sent[1] == spec.maximum[1]
    np.testing.assert_allclose(self._sent([0, -0.5])[0], [-0.5, 0.25], rtol=1e-6)
    np.testing.assert_allclose(self._sent([3, 0])[0], [7.0, 0.4], rtol=1e-6)

  def test_clips(self):
    sent, spec = self._sent([3, -9], clip=True)
    assert sent[0] == spec.maximum[0] and sent[1] == spec.minimum[1]

  @settings(max_examples=60, deadline=None)
  @given(st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=2), st.sampled_from([np.float32, np.float64]))
  def test_clipped_actions_are_within_the_bounds(self, action, dtype):
    sent, spec = self._sent(action, clip=True, dtype=dtype)
    spec.validate(sent)

  def test_spec(self):
    environment = wrappers.CanonicalAction(_mixed())
    assert environment.action_spec() == specs.BoundedArray((2,), np.float64, -1, 1)

  def test_integer_actions_stay(self):
    inner = Scripted(_mids(1))
    environment = wrappers.CanonicalAction(inner, clip=True)
    assert environment.action_spec() is inner.action_spec()
    environment.reset()
    environment.step(2)
    assert inner.actions == [2]

  def test_nests_of_actions(self):
    spec = {'go': specs.BoundedArray((1,), np.float32, 0, 10), 'fire': specs.DiscreteArray(2)}
    inner = Scripted(_mids(1), action_spec=spec)
    environment = wrappers.CanonicalAction(inner)
    environment.reset()
    environment.step({'go': np.zeros(1, np.float32), 'fire': 1})
    assert inner.actions == [{'go': np.array([5.0]), 'fire': 1}]

  @pytest.mark.parametrize('high', [np.inf, None])
  def test_without_finite_bounds(self, high):
    spec = (
      specs.Array((2,), np.float32, 'push') if high is None else specs.BoundedArray((2,), np.float32, 0, high, 'push')
    )
    with pytest.raises(errors.UserError, match='The action push has no finite bounds'):
      wrappers.CanonicalAction(Scripted([], action_spec=spec))


class TestFrameStacking:
  @pytest.mark.parametrize('shape,stacked', [((), (3,)), ((2,), (6,)), ((4, 5), (4, 5, 3)), ((4, 5, 2), (4, 5, 6))])
  def test_shapes_and_order(self, shape, stacked):
    environment = wrappers.FrameStacking(Scripted(_mids(5), specs.Array(shape, np.float32)), num_frames=3)
    observations = [environment.reset().observation] + [environment.step(0).observation for _ in range(4)]
    size = int(np.prod(shape)) // (shape[0] * shape[1] if len(shape) > 1 else 1)
    for row, observation in enumerate(observations):
      environment.observation_spec().validate(observation)
      assert observation.shape == stacked
      newest = [max(row - 2, 0), max(row - 1, 0), row]
      assert observation.reshape(-1, stacked[-1])[0].tolist() == np.repeat(newest, size).tolist()

  def test_starts_anew_with_each_episode(self):
    environment = wrappers.FrameStacking(Scripted([(0.0, 1.0, False), (0.0, 0.0, True)]), num_frames=2)
    for start in (environment.reset, lambda: environment.step(0), environment.reset):
      assert start().observation.tolist() == [0, 0, 0, 0]
      assert environment.step(0).observation.tolist() == [0, 0, 1, 1]
      assert environment.step(0).last()

  def test_nests_and_bounds(self):
    spec = wrappers.FrameStacking(_mixed(), num_frames=2).observation_spec()
    assert spec['image'].shape == (3, 4, 2) and spec['image'].maximum.max() == 255
    assert spec['pair'][0] == MultiDiscreteArray([9, 9], np.int64)
    assert spec['pair'][1].minimum.tolist() == [0, -1, 0, -1]

  def test_choices_images_with_channels_first_and_masks(self):
    inner = {
      'moves': MultiDiscreteArray([3, 2]),
      'image': specs.BoundedArray((3, 20, 16), np.uint8, 0, 255),
      'action_mask': specs.BoundedArray((2,), np.bool_, False, True),
    }
    environment = wrappers.FrameStacking(Scripted(_mids(2), inner), num_frames=2)
    spec = environment.observation_spec()
    assert spec['moves'].num_values.tolist() == [3, 2, 3, 2]
    assert spec['image'].shape == (6, 20, 16) and spec['action_mask'] == inner['action_mask']
    for start in (environment.reset, lambda: environment.step(0)):
      tree.map_structure(lambda part, value: part.validate(value), spec, start().observation)

  def test_frames_of_an_environment_that_reuses_its_array(self):
    inner = Scripted(_mids(2))
    array = np.zeros(2, np.float32)
    inner._observe = lambda: np.add(array, 1, out=array)
    environment = wrappers.FrameStacking(inner, num_frames=2)
    environment.reset()
    assert environment.step(0).observation.tolist() == [1, 1, 2, 2]

  def test_needs_a_frame(self):
    with pytest.raises(errors.UserError, match='num_frames is 0'):
      wrappers.FrameStacking(_mixed(), num_frames=0)


@settings(max_examples=100, deadline=None)
@given(
  st.lists(st.tuples(st.integers(-3, 3).map(float), st.sampled_from([1.0, 0.5]), st.just(False)), max_size=7),
  st.sampled_from([0.0, 1.0]),
  st.integers(1, 5),
)
def test_action_repeat_sums_up_each_group_of_steps(script, end, num_repeats):
  script = script + [(1.0, end, True)]
  inner = Scripted(script)
  environment = wrappers.ActionRepeat(inner, num_repeats)
  environment.reset()
  for start in range(0, len(script), num_repeats):
    group = script[start : start + num_repeats]
    timestep = environment.step(0)
    assert timestep.reward == sum(row[0] for row in group)
    assert timestep.discount == np.prod([row[1] for row in group])
    assert timestep.observation[0] == start + len(group)
    assert timestep.last() == group[-1][2]
  assert environment.step(0).first()
  assert len(inner.actions) == len(script)  # Neither the end nor the start of an episode is stepped over.


def test_action_repeat_widens_bounds_of_rewards():
  inner = Scripted(_mids(1), reward_spec=specs.BoundedArray((), np.float32, -1, 2))
  spec = wrappers.ActionRepeat(inner, 3).reward_spec()
  assert (spec.minimum, spec.maximum) == (-3, 6)


class TestStepLimit:
  def test_truncates_with_the_discount_kept(self):
    inner = Scripted(_mids(9, discount=0.75))
    environment = wrappers.StepLimit(inner, limit=3)
    for start in (environment.reset, lambda: environment.step(0), lambda: environment.step(0)):
      assert start().first()
      timesteps = [environment.step(0) for _ in range(3)]
      assert [step.last() for step in timesteps] == [False, False, True]
      assert [step.discount for step in timesteps] == [0.75] * 3
    assert inner.num_resets == 3

  def test_a_termination_at_the_limit_is_one(self):
    environment = wrappers.StepLimit(Scripted(_mids(2) + [(1.0, 0.0, True)]), limit=3)
    environment.reset()
    timesteps = [environment.step(0) for _ in range(4)]
    assert timesteps[2].last() and timesteps[2].discount == 0.0 and timesteps[3].first()

  def test_counts_each_episode_anew(self):
    environment = wrappers.StepLimit(Scripted(_mids(1) + [(1.0, 0.0, True)]), limit=3)
    for _ in range(3):
      assert environment.step(0).first()
      assert environment.step(0).mid()
      assert environment.step(0).discount == 0.0
    environment = wrappers.StepLimit(Scripted(_mids(9)), limit=3)
    for _ in range(4):
      environment.reset()
      assert environment.step(0).mid() and environment.step(0).mid()

  def test_needs_a_step(self):
    with pytest.raises(errors.UserError, match='limit is 0'):
      wrappers.StepLimit(_mixed(), limit=0)


class TestObservationActionReward:
  def test_rows(self):
    environment = wrappers.ObservationActionReward(Scripted([(2.5, 1.0, False), (1.5, 0.0, True)]))
    for _ in range(2):
      rows = [environment.step(0), environment.step(2), environment.step(1)]
      assert [row.observation.action for row in rows] == [0, 2, 1]
      assert [row.observation.reward for row in rows] == [0.0, 2.5, 1.5]
      assert [row.observation.observation[0] for row in rows] == [0, 1, 2]
      assert all(row.observation.action.dtype == np.int32 and row.observation.action.shape == () for row in rows)
    assert rows[0].reward is None and rows[1].reward == 2.5

  def test_actions_are_copies(self):
    environment = wrappers.ObservationActionReward(_mixed())
    environment.reset()
    action = np.ones(2)
    observation = environment.step(action).observation
    action[:] = 5.0
    assert observation.action.tolist() == [1.0, 1.0]

  def test_bounds_include_the_zeros_of_the_start(self):
    environment = wrappers.ObservationActionReward(_mixed())  # Its second action is at least 0.1.
    spec = environment.observation_spec()
    spec.action.validate(environment.reset().observation.action)
    assert spec.action.minimum.tolist() == [-3.0, 0.0]
    assert environment.action_spec().minimum.tolist() == [-3.0, 0.1]


def test_episode_statistics():
  environment = wrappers.EpisodeStatistics(Scripted(_mids(2, reward=0.5) + [(2.0, 0.0, True)]))
  environment.reset()
  environment.step(0)
  assert environment.statistics() is None
  environment.reset()  # What was going on does not count.
  for _ in range(3):
    environment.step(0)
  assert environment.statistics() == wrappers.Statistics(episode_return=3.0, episode_length=3)
  environment.step(0)
  environment.step(0)
  assert environment.statistics().episode_length == 3


_NESTS = st.recursive(
  st.integers(-5, 5),
  lambda inner: st.one_of(
    st.lists(inner, max_size=3),
    st.lists(inner, max_size=3).map(tuple),
    st.dictionaries(st.sampled_from('abc'), inner),
    st.builds(wrappers.OAR, inner, inner, inner),
  ),
)


@settings(max_examples=100, deadline=None)
@given(_NESTS)
def test_functions_for_leaves_are_applied_where_they_belong(nest):
  functions = tree.map_structure(lambda value: (lambda number: number * 10) if value > 0 else None, nest)
  expected = tree.map_structure(lambda value: value * 10 if value > 0 else value, nest)
  apply = leaves.apply_each(functions)
  if apply is None:
    assert all(value <= 0 for value in tree.flatten(nest))
  else:
    got = apply(nest)
    assert got == expected
    tree.assert_same_structure(got, expected)
