"""Torsos and heads: shapes for each kind of observation, and the duelling head's equation."""

import collections

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import errors, networks
from tfacme.networks import randomness

OAR = collections.namedtuple('OAR', ['observation', 'action', 'reward'])


def _batch(spec, size=2):
  return tf.nest.map_structure(lambda s: tf.ones([size, *s.shape], s.dtype), spec)


def test_flatten_observation():
  observation = OAR(
    observation={'b': tf.constant([[3.0, 4.0]]), 'a': tf.constant([[[1.0], [2.0]]])},
    action=tf.constant([5], tf.int32),
    reward=tf.constant([6.5]),
  )
  flat = networks.flatten_observation(observation)
  assert flat.dtype == tf.float32
  np.testing.assert_array_equal(flat, [[1, 2, 3, 4, 5, 6.5]])


_VECTOR = dm_specs.Array((3,), np.float32)
_IMAGE = dm_specs.Array((84, 84, 4), np.uint8)


@pytest.mark.parametrize(
  'spec, kind, features',
  [
    pytest.param(_VECTOR, networks.MLPTorso, 256, id='vector'),
    pytest.param(dm_specs.Array((10, 5), np.float32), networks.MLPTorso, 256, id='board'),
    pytest.param(dm_specs.DiscreteArray(7), snt.Sequential, 256, id='discrete'),
    pytest.param(dm_specs.BoundedArray((128,), np.uint8, 0, 255), snt.Sequential, 256, id='RAM'),
    pytest.param(dm_specs.Array((84, 84), np.uint8), snt.Sequential, 512, id='a picture without channels'),
    pytest.param(dm_specs.Array((3, 84, 84), np.float32), snt.Sequential, 512, id='channels first'),
    pytest.param({'a': _VECTOR, 'b': dm_specs.Array((), np.float32)}, networks.MLPTorso, 256, id='dict of vectors'),
    pytest.param(dm_specs.Array((2, 1, 3), np.float32), networks.MLPTorso, 256, id='too small for a convolution'),
    pytest.param(_IMAGE, networks.MixedTorso, 512, id='Atari'),
    pytest.param(dm_specs.Array((10, 10, 4), bool), networks.MixedTorso, 512, id='MinAtar'),
    pytest.param({'image': _IMAGE, 'vector': _VECTOR}, networks.MixedTorso, 512, id='image and vector'),
  ],
)
def test_default_torso(spec, kind, features):
  torso = networks.default_torso(spec)
  assert isinstance(torso, kind)
  assert networks.create_variables(torso, spec) == tf.TensorSpec((1, features), tf.float32)
  assert np.all(np.isfinite(torso(_batch(spec))))


def test_a_torso_without_layers_is_none_and_not_the_default():
  torso = networks.default_torso(_VECTOR, hidden_sizes=())
  np.testing.assert_array_equal(torso(tf.constant([[1.0, -2.0, 3.0]])), [[1, -2, 3]])
  with pytest.raises(errors.UserError, match='no layer to normalize'):
    networks.default_torso(_VECTOR, hidden_sizes=(), layer_norm=True)


@pytest.mark.parametrize('sizes', [64, '64,64', (64, -1), (64, 2.5)])
@pytest.mark.parametrize('layer_norm', [False, True])
def test_sizes_that_are_none_are_named(sizes, layer_norm):
  with pytest.raises(errors.UserError, match='hidden_sizes is .*, and has to be'):
    networks.default_torso(_VECTOR, hidden_sizes=sizes, layer_norm=layer_norm)


def test_an_unknown_activation_is_named():
  with pytest.raises(errors.UserError, match="There is no activation 'sillu'; did you mean silu"):
    networks.default_torso(_VECTOR, activation='sillu')


def test_atari_torso_is_the_papers():
  torso = networks.AtariTorso()
  assert networks.create_variables(torso, _IMAGE).shape == (1, 7 * 7 * 64)
  assert sorted(tuple(v.shape) for v in torso.variables if v.shape.rank == 4) == [
    (3, 3, 64, 64),
    (4, 4, 32, 64),
    (8, 8, 4, 32),
  ]


def test_bytes_are_scaled_and_nothing_else():
  torso = networks.SmallImageTorso()
  image = np.random.RandomState(0).randint(0, 256, (1, 5, 5, 1)).astype(np.uint8)
  scaled = torso(tf.constant(image / np.float32(255)))
  # Sums of floats near 1 that nearly cancel have an error of their own.
  np.testing.assert_allclose(torso(tf.constant(image)), scaled, rtol=1e-5, atol=1e-6)


def test_a_mixed_torso_uses_all_of_the_observation():
  spec = {'image': dm_specs.Array((5, 5, 1), np.float32), 'vector': _VECTOR}
  torso, observation = networks.default_torso(spec, (8,), 'tanh'), _batch(spec)
  features = torso(observation)
  for key, leaf in observation.items():
    assert np.any(torso({**observation, key: leaf + 1}) != features), key


@pytest.mark.parametrize('activation', ['relu', 'elu', 'tanh', 'silu', 'gelu'])
def test_activations(activation):
  assert networks.MLPTorso((4, 2), activation)(tf.ones([3, 5])).shape == (3, 2)


def test_the_duelling_head_by_hand():
  head = networks.DuellingHead(2)
  networks.create_variables(head, dm_specs.Array((1,), np.float32))
  variables = {variable.name.rsplit(':')[0].split('/', 1)[1]: variable for variable in head.variables}
  variables['value/w'].assign([[2.0]])
  variables['value/b'].assign([1.0])
  variables['advantage/w'].assign([[3.0, 5.0]])
  variables['advantage/b'].assign([0.0, 2.0])
  # V = 3; A = (3, 7), whose mean is 5.
  np.testing.assert_allclose(head(tf.constant([[1.0]])), [[1, 5]])


@pytest.mark.parametrize('duelling', [False, True])
def test_q_head(duelling):
  assert networks.q_head(3, duelling)(tf.ones([2, 4])).shape == (2, 3)


def test_residual_torso_is_the_papers():
  torso = networks.ResidualTorso()
  assert networks.create_variables(torso, _IMAGE).shape == (1, 11 * 11 * 32)
  assert len([v for v in torso.variables if v.shape.rank == 4]) == 15  # Figure 3: 15 convolutional layers.
  mixed = networks.default_torso({'image': _IMAGE, 'vector': _VECTOR}, residual=True)
  assert networks.create_variables(mixed, {'image': _IMAGE, 'vector': _VECTOR}).shape == (1, 512)
  assert any(isinstance(part, networks.ResidualTorso) for part in mixed.submodules)


def test_a_residual_block_adds():
  torso = networks.ResidualTorso(channels=(1,), blocks=1)
  image = tf.constant(np.random.default_rng(0).random((1, 4, 4, 1)), tf.float32)
  torso(image)
  for variable in torso.variables:
    variable.assign(tf.zeros_like(variable))
  first = torso._first[0].w
  first.assign(tf.reshape([0.0, 0, 0, 0, 1, 0, 0, 0, 0], first.shape))
  pooled = tf.nn.max_pool2d(image, 3, 2, 'SAME')  # The block's convolutions are zero: what comes in goes out.
  np.testing.assert_array_equal(torso(image), tf.reshape(pooled, [1, 4]))


@pytest.mark.parametrize('sizes', [(8,), (8, 4)])
def test_layer_norm_does_not_see_the_scale(sizes):
  torso = networks.LayerNormMLPTorso(sizes)
  x = tf.constant([[1.0, -2.0, 3.0]])
  assert torso(x).shape == (1, sizes[-1])
  np.testing.assert_allclose(torso(x), torso(1000.0 * x), atol=1e-3)
  assert isinstance(networks.default_torso(_VECTOR, layer_norm=True), networks.LayerNormMLPTorso)


def test_layer_norm_comes_after_convolutions_too():
  torso = networks.default_torso({'image': _IMAGE, 'vector': _VECTOR}, layer_norm=True)
  networks.create_variables(torso, {'image': _IMAGE, 'vector': _VECTOR})
  assert any('layer_norm' in variable.name for variable in torso.trainable_variables)


@pytest.mark.parametrize('layer_norm', [False, True])
@pytest.mark.parametrize('spec', [_VECTOR, dm_specs.Array((10, 10, 4), np.float32)])
def test_dropout_is_in_every_fully_connected_layer(spec, layer_norm, monkeypatch):
  torso = networks.default_torso(spec, (50, 100), layer_norm=layer_norm, dropout=0.25, activation='elu')
  drawn = []
  monkeypatch.setattr(randomness, 'draw', lambda: drawn.append(None) or tf.constant([len(drawn), 0]))

  def features(phase):
    with networks.drawing(tf.constant([1, 2]), phase):
      return torso(_batch(spec)).numpy()

  assert not np.any(features(networks.Phase.ACTING) == 0.0)  # An ELU gives no 0 of its own.
  assert not drawn
  np.testing.assert_allclose(np.mean(features(networks.Phase.LEARNING) == 0.0), 0.25, atol=0.1)
  assert len(drawn) == 2
