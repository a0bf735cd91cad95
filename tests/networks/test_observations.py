"""How default networks read observations: choices, images, small integers, masks."""

import collections

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf
import tree
from dm_env import specs as dm_specs

from tfacme import errors, networks, specs
from tfacme.agents import dqn, sac

OAR = collections.namedtuple('OAR', ['observation', 'action', 'reward'])


def _read(spec, observation):
  """The parts that an encoder gives for one observation, held against what it says of them."""
  encoder = networks.ObservationEncoder(spec)
  batch = tree.map_structure_up_to(
    spec, lambda s, x: tf.constant(np.asarray(x, s.dtype)[np.newaxis]), spec, observation
  )
  parts = [part[0].numpy() for part in encoder(batch)]
  assert [(part.shape, part.dtype) for part in parts] == [(part.shape, part.dtype) for part in encoder.spec]
  return parts


def test_choices_are_one_hot_wherever_they_stand():
  spec = OAR(
    observation={'b': dm_specs.DiscreteArray(3), 'a': specs.MultiDiscreteArray([2, 4])},
    action=dm_specs.DiscreteArray(2, np.uint8),
    reward=dm_specs.Array((), np.float32),
  )
  parts = _read(spec, OAR({'b': 2, 'a': [1, 0]}, 1, 0.5))
  assert [part.tolist() for part in parts] == [[0, 1, 1, 0, 0, 0], [0, 0, 1], [0, 1], 0.5]
  torso = networks.default_torso([spec, spec], hidden_sizes=())  # As of a critic.
  batch = tf.nest.map_structure(lambda s: tf.zeros([2, *s.shape], s.dtype), [spec, spec])
  assert torso(batch).shape == (2, 2 * (6 + 3 + 2 + 1))


def test_a_table_of_choices():
  spec = specs.MultiDiscreteArray([[2, 3], [2, 2]])
  assert _read(spec, [[1, 2], [0, 1]])[0].tolist() == [0, 1, 0, 0, 1, 1, 0, 0, 1]


def test_a_choice_among_too_many_is_a_sentence():
  with pytest.raises(errors.UserError, match='The observation cell is a choice among 10,000,000,000 values'):
    networks.default_torso({'cell': dm_specs.DiscreteArray(10**10, np.int64)})


def test_48_states_are_told_apart():
  spec = dm_specs.DiscreteArray(48)
  values = np.random.default_rng(0).normal(size=(48, 4)).astype(np.float32)
  q = snt.Sequential([networks.default_torso(spec, (64,)), snt.Linear(4)])
  networks.create_variables(q, spec)
  optimizer = snt.optimizers.Adam(0.01)

  @tf.function
  def learn():
    with tf.GradientTape() as tape:
      loss = tf.reduce_mean((q(tf.range(48)) - values) ** 2)
    optimizer.apply(tape.gradient(loss, q.trainable_variables), q.trainable_variables)

  for _ in range(300):
    learn()
  assert np.mean(np.argmax(q(tf.range(48)), axis=1) == np.argmax(values, axis=1)) == 1.0


def _bytes(*shape, dtype=np.uint8):
  return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, endpoint=True).astype(dtype)


def test_small_integers_are_from_0_to_1():
  ram = _bytes(128)
  for spec in (dm_specs.Array((128,), np.uint8), dm_specs.BoundedArray((128,), np.uint8, 0, 255)):
    np.testing.assert_allclose(_read(spec, ram)[0], ram / 255.0, rtol=1e-6)
  depth = _bytes(40, 50, 1, dtype=np.uint16)
  np.testing.assert_allclose(_read(dm_specs.Array((40, 50, 1), np.uint16), depth)[0], depth / 65535.0, rtol=1e-6)
  millimetres = dm_specs.BoundedArray((3,), np.uint16, 0, [10_000, 1, 0])
  np.testing.assert_allclose(_read(millimetres, [5_000, 1, 0])[0], [0.5, 1, 0])
  flags = dm_specs.BoundedArray((2,), np.uint8, 0, 1)
  assert not networks.ObservationEncoder(flags).changes


def test_images_in_other_forms():
  picture = _bytes(84, 84)
  np.testing.assert_array_equal(_read(dm_specs.Array((84, 84), np.uint8), picture)[0], picture[..., np.newaxis])
  first = _bytes(3, 20, 30)
  np.testing.assert_array_equal(_read(dm_specs.Array((3, 20, 30), np.uint8), first)[0], np.moveaxis(first, 0, -1))
  stack = _bytes(4, 40, 50, 3)
  expected = np.concatenate(list(stack), axis=-1)
  np.testing.assert_array_equal(_read(dm_specs.Array(stack.shape, np.uint8), stack)[0], expected)
  stack = np.moveaxis(stack, -1, 1)
  np.testing.assert_array_equal(_read(dm_specs.Array(stack.shape, np.uint8), stack)[0], expected)


def test_a_picture_in_bytes_gives_the_same_features_in_each_form():
  picture = _bytes(2, 84, 84)
  last = networks.default_torso(dm_specs.Array((84, 84, 1), np.uint8))
  networks.create_variables(last, dm_specs.Array((84, 84, 1), np.uint8))
  expected = last(tf.constant(picture[..., np.newaxis]))
  for shape in ((84, 84), (1, 84, 84)):
    other = networks.default_torso(dm_specs.Array(shape, np.uint8))
    networks.create_variables(other, dm_specs.Array(shape, np.uint8))
    for variable, value in zip(other.variables, last.variables):
      variable.assign(value)
    np.testing.assert_allclose(other(tf.constant(picture.reshape(2, *shape))), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
  'shape, make',
  [
    ((2, 2, 3), lambda spec: networks.default_torso(spec, hidden_sizes=())),  # Too small for a convolution.
    ((2, 2, 3), lambda spec: networks.default_torso(spec, hidden_sizes=(), residual=True)),
    ((2, 2, 3), lambda spec: networks.default_torso(spec, hidden_sizes=(), normalize=True)),
    ((2, 2, 3), lambda spec: networks.mlp_torso(spec, ())),
    ((84, 84, 4), lambda spec: networks.mlp_torso(spec, ())),
    ((40, 40), lambda spec: networks.mlp_torso(spec, ())),
  ],
)
def test_images_in_bytes_that_no_convolution_divides_are_from_0_to_1_too(shape, make):
  image = _bytes(2, *shape)
  for spec in (dm_specs.Array(shape, np.uint8), dm_specs.BoundedArray(shape, np.uint8, 0, 255)):
    np.testing.assert_allclose(make(spec)(tf.constant(image)), image.reshape(2, -1) / 255.0, rtol=1e-6)


def test_a_small_image_beside_a_large_one_is_from_0_to_1():
  spec = {'large': dm_specs.Array((3, 3, 1), np.uint8), 'small': dm_specs.Array((2, 2, 1), np.uint8)}
  image = tf.constant(_bytes(2, 2, 2, 1))
  features = networks.default_torso(spec, hidden_sizes=())({'large': tf.zeros([2, 3, 3, 1], tf.uint8), 'small': image})
  np.testing.assert_allclose(features[:, -4:], image.numpy().reshape(2, 4) / 255.0, rtol=1e-6)


_MASK = dm_specs.BoundedArray((3,), np.bool_, False, True)


def test_the_mask_is_no_feature():
  spec = {'action_mask': {'move': _MASK}, 'x': dm_specs.Array((2,), np.float32)}
  assert [part.tolist() for part in _read(spec, {'action_mask': {'move': [1, 0, 1]}, 'x': [4, 5]})] == [[4, 5]]
  features = networks.default_torso(spec, hidden_sizes=())(
    {'action_mask': {'move': tf.constant([[True, False, True]])}, 'x': tf.constant([[4.0, 5.0]])}
  )
  np.testing.assert_array_equal(features, [[4, 5]])


@pytest.mark.parametrize(
  'spec', [(), {}, dm_specs.Array((0,), np.float32), {'action_mask': _MASK}, {'a': dm_specs.Array((2, 0), np.uint8)}]
)
def test_no_numbers_at_all_are_a_sentence(spec):
  for make in (networks.default_torso, lambda spec: networks.mlp_torso(spec, (8,))):
    with pytest.raises(errors.UserError, match='no numbers to learn from; its parts are'):
      make(spec)


def _spec(observations, actions):
  number = dm_specs.Array((), np.float32)
  return specs.EnvironmentSpec(observations, actions, number, number)


@pytest.mark.parametrize(
  'observations',
  [
    dm_specs.BoundedArray((10, 5), np.float32, 0, 1),
    dm_specs.Array((4,), np.float32),
    dm_specs.Array((1, 3), np.float32),
    dm_specs.BoundedArray((10, 10, 4), np.float32, 0, 1),
    dm_specs.BoundedArray((10, 10, 7), np.bool_, False, True),
    dm_specs.BoundedArray((84, 84, 4), np.uint8, 0, 255),
    {'position': dm_specs.Array((3,), np.float32), 'velocity': dm_specs.Array((2,), np.float32)},
  ],
  ids=str,
)
def test_what_was_read_rightly_goes_into_networks_as_it_is(observations):
  assert not networks.ObservationEncoder(observations).changes
  spec = _spec(observations, dm_specs.DiscreteArray(3))
  with networks.seeded(1):
    found = dqn.default_networks()(spec).q
  assert not any(isinstance(part, networks.ObservationEncoder) for part in found.submodules)
  action = dm_specs.BoundedArray((2,), np.float32, -1, 1)
  critics = sac.default_networks()(_spec(observations, action)).critics
  assert not any(isinstance(part, networks.ObservationEncoder) for part in critics[0].submodules)
