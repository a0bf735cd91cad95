"""Specs of our own."""

import contextlib
import pickle

import dm_env
import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import errors, specs
from tfacme.environments import wrappers


def test_several_choices_at_once():
  spec = specs.MultiDiscreteArray([2, 3], np.int64, 'moves')
  assert (spec.shape, spec.dtype, spec.name) == ((2,), np.int64, 'moves')
  assert spec.minimum.tolist() == [0, 0] and spec.maximum.tolist() == [1, 2]
  again = pickle.loads(pickle.dumps(spec))
  assert again == spec and again.num_values.tolist() == [2, 3]
  with pytest.raises(ValueError):
    spec.validate(np.array([0, 3]))
  assert specs.is_multi_discrete(spec) and not specs.is_discrete(spec) and not specs.is_continuous(spec)
  assert specs.describe(spec) == '2 discrete actions at once, with [2, 3] values'
  with pytest.raises(errors.UserError, match='at least one value'):
    specs.MultiDiscreteArray([2, 0])


class _Environment(dm_env.Environment):
  def __init__(self, observations, actions=dm_specs.DiscreteArray(3)):
    self._specs = observations, actions

  def reset(self):
    raise NotImplementedError

  def step(self, action):
    raise NotImplementedError

  def observation_spec(self):
    return self._specs[0]

  def action_spec(self):
    return self._specs[1]


@pytest.mark.parametrize('refused', [False, True])
def test_an_environment_that_is_made_for_its_specs_is_closed_again(refused):
  made = []

  class Closing(_Environment):
    def close(self):
      made.append(self.seed)

  def make(seed):
    environment = Closing(() if refused else dm_specs.Array((2,), np.float32))
    environment.seed = seed
    return environment

  with pytest.raises(errors.UserError, match='no numbers') if refused else contextlib.nullcontext():
    assert specs.read_spec(make, seed=3).actions.num_values == 3
  assert made == [3]


_MASK = dm_specs.BoundedArray((3,), np.bool_, False, True)


@pytest.mark.parametrize(
  'observations, message',
  [
    ((), 'no numbers at all'),
    ({'a': dm_specs.Array((0,), np.float32)}, 'no numbers at all'),
    (dm_specs.StringArray(()), 'The observation of this environment is of type object'),
    ({'a': {'b': dm_specs.Array((2,), np.complex64)}}, 'The observation a/b of this environment is of type complex64'),
    (dm_specs.Array((2,), tf.bfloat16.as_numpy_dtype), 'is of type bfloat16, and experience is numbers'),
    ({'a': np.zeros(3)}, r'The observation a of this environment is described by array'),
    ({'a': _MASK, 'action_mask': {'move': _MASK}}, 'is another nest than the actions'),
    (
      {'a': _MASK, 'action_mask': dm_specs.Array((4,), np.bool_)},
      r'The action_mask of the observation is of shape \(4,\), and has to be of \(3,\), for a discrete action with 3',
    ),
  ],
)
def test_specs_that_break_the_contract_are_named(observations, message):
  with pytest.raises(errors.UserError, match=message) as caught:
    specs.environment_spec(_Environment(observations))
  assert '\n' not in str(caught.value)


def test_specs_that_keep_the_contract():
  observations = {'a': dm_specs.Array((0,), np.float32), 'b': dm_specs.Array((), np.int64), 'action_mask': _MASK}
  spec = specs.environment_spec(_Environment(observations))
  assert specs.action_mask(spec.observations) == _MASK
  assert specs.action_mask(wrappers.OAR(spec.observations, None, None)) == _MASK
  assert specs.action_mask(observations['b']) is None


def test_the_mask_of_a_nest_of_actions():
  actions = {
    'move': dm_specs.DiscreteArray(3),
    'bits': specs.MultiDiscreteArray([2, 4]),
    'force': dm_specs.BoundedArray((5,), np.float32, -1, 1),
  }
  shapes = {name: part.shape for name, part in specs.action_mask_spec(actions).items()}
  assert shapes == {'move': (3,), 'bits': (6,), 'force': ()}


@pytest.mark.parametrize(
  'shape, expected',
  [
    ((3, 84, 84), True),
    ((1, 16, 16), True),
    ((12, 84, 84), True),
    ((84, 84, 3), False),
    ((84, 84, 24), False),
    ((10, 10, 4), False),
    ((3, 10, 10), False),
    ((84, 84), False),
  ],
)
def test_channels_first(shape, expected):
  assert specs.has_channels_first(shape) == expected


def test_an_action_that_counts_from_elsewhere_is_told_the_fix():
  words = specs.describe(dm_specs.BoundedArray((), np.int32, 3, 7))
  assert words.startswith('an integer from 3 to 7') and 'DiscreteArray(5), counted from 0' in words


def test_vectors_of_real_numbers_alone_can_be_predicted():
  vector, stack = dm_specs.Array((3,), np.float32), dm_specs.Array((4, 3), np.float32)
  specs.check_vectors('MBOP', {'place': vector, 'rest': (dm_specs.Array((), np.float32), stack)})
  for refused in (dm_specs.Array((8, 8, 3), np.float32), dm_specs.DiscreteArray(3), dm_specs.Array((3,), np.uint8)):
    with pytest.raises(
      errors.UserError, match='^MBOP predicts observations that are vectors .* the observation b/0 of'
    ):
      specs.check_vectors('MBOP', {'a': vector, 'b': (refused,)})
