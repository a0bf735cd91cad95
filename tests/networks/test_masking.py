"""What a mask does to the outputs of networks."""

import numpy as np
import pytest
import tensorflow as tf

from tfacme import networks
from tfacme.networks import masking

_LEGAL = tf.constant([[True, False, True]])


def test_values():
  q = networks.evaluate(
    lambda observation: tf.constant([[1.0, 2.0, 0.5]]), {'action_mask': _LEGAL, 'x': tf.ones([1, 2])}
  )
  np.testing.assert_array_equal(q, [[1.0, networks.ILLEGAL, 0.5]])


@pytest.mark.parametrize('precision', [tf.float16, tf.bfloat16, tf.float64])
def test_values_of_any_precision(precision):
  q = masking.masked(tf.constant([[1.0, 2.0, 0.5]], precision), _LEGAL)
  assert q.dtype == precision and networks.epsilon_greedy(q, 0.0, tf.constant([1, 2])).numpy().tolist() == [0]


def test_without_a_mask_nothing_is_altered():
  output = tf.constant([[1.0]])
  assert networks.evaluate(lambda observation: output, tf.ones([1, 2])) is output
  assert networks.evaluate(lambda observation: output, {'x': tf.ones([1, 2])}) is output


def test_a_distribution():
  categorical = masking.masked(networks.Categorical(tf.constant([[1.0, 9.0, 1.0]])), _LEGAL)
  np.testing.assert_allclose(tf.exp(categorical.log_prob(tf.constant([0]))), [0.5])
  np.testing.assert_allclose(categorical.entropy(), [np.log(2)], rtol=1e-6)
  both = masking.masked(
    networks.PolicyAndValue(networks.Categorical(tf.constant([[1.0, 9.0, 0.0]])), tf.ones([1])), _LEGAL
  )
  assert both.policy.mode().numpy() == [0] and both.value.numpy() == [1.0]


def test_where_nothing_is_legal_there_is_nothing_to_bootstrap_from():
  none = tf.constant([[False, False, False]])
  np.testing.assert_array_equal(masking.masked(tf.constant([[1.0, 2.0, 3.0]]), none), [[0.0, 0.0, 0.0]])
  np.testing.assert_array_equal(networks.Categorical(tf.constant([[1.0, 2.0, 3.0]])).masked(none).logits, [[1, 2, 3]])


def test_several_choices_and_nests():
  multi = networks.MultiCategorical((tf.constant([[0.0, 5.0]]), tf.constant([[5.0, 0.0]])))
  legal = tf.constant([[True, False, False, True]])
  assert multi.masked(legal).mode().numpy().tolist() == [[0, 1]]
  gaussian = networks.Gaussian(tf.constant([[0.5]]), tf.constant([[0.0]]))
  joint = networks.Joint({'arm': gaussian, 'tool': multi}).masked({'arm': tf.constant([True]), 'tool': legal})
  mode = joint.mode()
  assert mode['tool'].numpy().tolist() == [[0, 1]] and mode['arm'].numpy().tolist() == [[0.5]]


def test_sequences():
  network = networks.Unrollable(lambda observation: observation['x'], lambda features: features, None)
  observation = {'action_mask': tf.tile(_LEGAL[:, tf.newaxis], [1, 4, 1]), 'x': tf.ones([1, 4, 3])}
  q, state = networks.unroll(network, observation, (), tf.zeros([1, 4], tf.bool))
  assert q.shape == (1, 4, 3) and state == ()
  assert (q.numpy()[..., 1] == networks.ILLEGAL).all() and (q.numpy()[..., 0] == 1.0).all()
