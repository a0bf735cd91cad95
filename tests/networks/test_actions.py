"""Actions between networks and environments, and the joint distribution of nested ones."""

import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import errors, networks, specs
from tfacme.networks import actions

_ARM = dm_specs.BoundedArray((2, 2), np.float32, -2.0, 4.0, 'arm')
_TOOL = dm_specs.DiscreteArray(3, np.int64, 'tool')
_KEYS = specs.MultiDiscreteArray([2, 4], np.int32, 'keys')
_SPEC = {'arm': _ARM, 'hand': (_TOOL, _KEYS)}
_SEED = tf.constant([1, 2])


def _sampled(size=1):
  head = networks.distribution_head(_SPEC)
  output = head(tf.random.stateless_normal([size, 5], [3, 4]))
  return output, output.sample(_SEED)


def test_there_and_back():
  arm = tf.constant([[-1.0, 0.0, 1.0, 3.0]])
  action = networks.to_environment({'arm': arm, 'hand': (tf.constant([2]), tf.constant([[1, 3]]))}, _SPEC)
  np.testing.assert_allclose(action['arm'], [[[-2.0, 1.0], [4.0, 4.0]]])  # What lies beyond is cut off.
  assert action['hand'][0].dtype == tf.int64
  back = networks.from_environment(action, _SPEC)
  np.testing.assert_allclose(back['arm'], [[-1.0, 0.0, 1.0, 1.0]])
  assert back['hand'][0].dtype == tf.int32 and back['hand'][1].numpy().tolist() == [[1, 3]]


def test_what_lies_beyond_the_bounds_is_cut_off():
  sample = {'arm': tf.constant([[-1.5, 0.5, 1.0, 3.0]]), 'hand': (tf.constant([2]), tf.constant([[1, 3]]))}
  found = networks.within_bounds(sample, _SPEC)
  np.testing.assert_allclose(found['arm'], [[-1.0, 0.5, 1.0, 1.0]])
  assert found['hand'][0].numpy() == 2 and found['hand'][1].numpy().tolist() == [[1, 3]]


def test_all_numbers_of_an_action_as_one_vector():
  spec = {'leg': dm_specs.BoundedArray((), np.float32, 0.0, 1.0), 'arm': _ARM}
  action = networks.from_vector(tf.constant([[-1.0, 0.0, 1.0, 0.5, -0.5]]), spec)
  np.testing.assert_allclose(action['arm'], [[[-2.0, 1.0], [4.0, 2.5]]])
  np.testing.assert_allclose(action['leg'], [0.25])
  back = networks.to_vector(action, spec)
  assert back.shape == (1, 5) == (1, actions.vector_size(spec))
  np.testing.assert_allclose(back, [[-1.0, 0.0, 1.0, 0.5, -0.5]], rtol=1e-6)


def test_a_single_number():
  spec = dm_specs.BoundedArray((), np.float32, 0.0, 10.0)
  action = networks.to_environment(tf.constant([[0.0], [1.0]]), spec)
  np.testing.assert_allclose(action, [5.0, 10.0])
  np.testing.assert_allclose(networks.from_environment(action, spec), [[0.0], [1.0]])


_TABLE = specs.MultiDiscreteArray([[2, 3], [4, 5]], np.int64)


@pytest.mark.parametrize('lead', [(6,), (5, 7)])
def test_a_table_of_choices_is_a_vector_to_networks(lead):
  choices = np.random.RandomState(0).randint(0, [2, 3, 4, 5], (*lead, 4)).astype(np.int32)
  action = networks.to_environment(tf.constant(choices), _TABLE)
  assert action.dtype == tf.int64
  np.testing.assert_array_equal(action, choices.reshape(*lead, 2, 2))  # Row after row.
  back = networks.from_environment(action, _TABLE)
  assert back.dtype == tf.int32
  np.testing.assert_array_equal(back, choices)
  assert networks.network_spec(_TABLE).num_values.tolist() == [2, 3, 4, 5]


def test_sequences_of_actions():
  back = networks.from_environment(tf.zeros([5, 7, 2, 2]), _ARM)
  assert back.shape == (5, 7, 4)


def test_a_joint_distribution_is_the_product_of_its_parts():
  output, sample = _sampled(6)
  action = networks.to_environment(sample, _SPEC)
  assert action['arm'].shape == (6, 2, 2) and action['hand'][0].shape == (6,) and action['hand'][1].shape == (6, 2)
  parts, taken = output.parts, sample
  expected = parts['arm'].log_prob(taken['arm']) + parts['hand'][0].log_prob(taken['hand'][0])
  for i, logits in enumerate(parts['hand'][1].logits):
    expected += networks.Categorical(logits).log_prob(taken['hand'][1][:, i])
  np.testing.assert_allclose(output.log_prob(sample), expected, rtol=1e-5)
  entropy = parts['arm'].entropy() + parts['hand'][0].entropy() + parts['hand'][1].entropy()
  np.testing.assert_allclose(output.entropy(), entropy, rtol=1e-5)
  assert output.mode()['hand'][1].shape == (6, 2)


@pytest.mark.parametrize('kind', [list, tuple])
def test_sequences_of_parts(kind):
  spec = kind([_TOOL, _TOOL])
  output = networks.distribution_head(spec)(tf.ones([2, 3]))
  action = networks.to_environment(output.sample(_SEED), spec)
  assert isinstance(action, kind) and action[1].shape == (2,) and output.log_prob(output.mode()).shape == (2,)


def test_its_parts_are_drawn_independently():
  logits = tf.zeros([8_000, 2])
  joint = networks.Joint((networks.Categorical(logits), networks.MultiCategorical((logits, logits))))
  first, (second, third) = joint.sample(_SEED)[0], tf.unstack(joint.sample(_SEED)[1], axis=1)
  for one, other in ((first, second), (first, third), (second, third)):
    np.testing.assert_allclose(np.mean(one.numpy() == other.numpy()), 0.5, atol=0.03)


def test_the_spec_of_a_networks_actions():
  spec = networks.network_spec(_SPEC)
  assert spec['arm'].shape == (4,) and spec['arm'].maximum == 1.0 and spec['hand'] == (_TOOL, _KEYS)


def test_a_policy_acts_in_nests(tmp_path):
  head = networks.distribution_head(_SPEC)
  from tests.agents import contexts

  for choose, extras in ((networks.Sample(_SPEC), {'sample', 'log_prob'}), (networks.Mode(_SPEC), set())):
    policy = networks.NetworkPolicy(head, choose)
    action, state, found = policy(tf.zeros([3, 5]), (), contexts.context(3))
    assert set(found) == extras and state == () and action['arm'].dtype == tf.float32
    assert np.abs(action['arm'] - 1.0).max() <= 3.0


@pytest.mark.parametrize('initial', [-1.0, -1])
@pytest.mark.parametrize('state_dependent', [False, True])
def test_a_gaussian_head(state_dependent, initial):
  head = networks.GaussianHead(2, initial_log_std=initial, state_dependent=state_dependent, scale=1e-6)
  output = head(tf.random.stateless_normal([4, 3], [1, 2]))
  np.testing.assert_allclose(output.log_std, np.full((4, 2), -1.0), atol=1e-2)
  assert output.log_std.dtype == tf.float32
  assert len(head.trainable_variables) == (4 if state_dependent else 3)


def test_a_deviation_that_is_no_number_is_named():
  with pytest.raises(errors.UserError, match='initial_log_std is nan, and has to be a finite number'):
    networks.GaussianHead(2, initial_log_std=float('nan'))


def test_a_deterministic_head():
  output = networks.DeterministicHead(2)(tf.random.stateless_normal([4, 3], [1, 2]))
  np.testing.assert_array_equal(output.mode(), output.sample(_SEED))
  assert np.abs(output.mode()).max() < 1.0


def test_a_gaussian_head_around_bounded_means():
  head = networks.TanhMeanGaussianHead(2, log_std=(-3.0, 1.0))
  output = head(10.0 * tf.random.stateless_normal([4, 3], [1, 2]))
  assert np.abs(output.mean).max() <= 1.0
  np.testing.assert_allclose(output.log_std, np.full((4, 2), -1.0), rtol=1e-6)  # in the middle
  (free,) = [variable for variable in head.trainable_variables if 'log_std' in variable.name]
  free.assign([-2.0, 20.0])
  with tf.GradientTape() as tape:
    log_std = head(tf.zeros([1, 3])).log_std
  np.testing.assert_allclose(log_std, [[-3.0 + 4.0 / (1.0 + np.exp(2.0)), 1.0]], rtol=1e-6)
  assert tape.gradient(log_std, free)[0] > 0.4  # It can come back.
  with pytest.raises(errors.UserError, match='The highest log_std is -4.0, and has to be more than -3.0'):
    networks.TanhMeanGaussianHead(2, log_std=(-3.0, -4.0))
