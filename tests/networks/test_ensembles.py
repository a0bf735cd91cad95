"""Ensembles that learn by regression, held to each member by itself and to numbers worked by hand."""

import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import errors, networks


def _regressor(members=3, inputs=2, outputs=2, hidden=(4,), seed=0):
  network = networks.EnsembleMLP(members, [*hidden, outputs], 'tanh')
  regressor = networks.EnsembleRegressor(network, members, inputs, outputs)
  with networks.seeded(seed):
    networks.create_variables(regressor, dm_specs.Array((inputs,), np.float32))
  return regressor


def _weights(regressor):
  """Of each member, its layers' offsets and matrices."""
  layers = [(layer.b.numpy(), layer.w.numpy()) for layer in regressor._network._layers]
  return [[(b[k, 0], w[k]) for b, w in layers] for k in range(regressor.members)]


def _member(weights, x):
  for i, (offset, matrix) in enumerate(weights):
    x = x @ matrix + offset
    x = np.tanh(x) if i < len(weights) - 1 else x
  return x


def test_each_member_has_weights_of_its_own():
  regressor, x = _regressor(outputs=3), np.random.RandomState(0).randn(6, 2).astype(np.float32)
  for variable in regressor.trainable_variables:
    variable.assign_add(0.1 * np.random.RandomState(1).randn(*variable.shape))
  said = regressor(x)
  assert said.shape == (3, 6, 3)
  expected = [_member(own, x) for own in _weights(regressor)]
  np.testing.assert_allclose(said, expected, rtol=1e-4, atol=1e-5)
  assert not np.allclose(said[0], said[1], atol=1e-2)
  in_turn = [expected[row % 3][row] for row in range(6)]
  np.testing.assert_allclose(regressor.in_turn(x), in_turn, rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(networks.rows_in_turn(said), in_turn, rtol=1e-4, atol=1e-5)


def test_initial_weights_are_a_function_of_the_seed():
  first, again, other = (_regressor(seed=seed)(tf.ones([1, 2])).numpy() for seed in (0, 0, 1))
  np.testing.assert_array_equal(first, again)
  assert not np.allclose(first, other)


def test_inputs_and_outputs_are_normalized_within():
  """Statistics of the counted rows: inputs of mean 2 and deviation 1, targets of mean 10 and deviation 5."""
  regressor = _regressor(1, 1, 1, hidden=())
  b, w = sorted(regressor.trainable_variables, key=lambda v: v.name)
  w.assign([[[0.5]]])
  b.assign([[[0.2]]])
  x, y = tf.constant([[1.0], [3.0], [99.0]]), tf.constant([[5.0], [15.0], [0.0]])
  mask = tf.constant([[1.0], [1.0], [0.0]])
  regressor.update(x, y, mask)
  np.testing.assert_allclose(regressor.deviations, [5.0], rtol=1e-6)
  # The inputs -1 and 1 give -0.3 and 0.7, in deviations from the mean of the targets; 99 is cut off at 10.
  np.testing.assert_allclose(regressor(x)[0, :, 0], [8.5, 13.5, 36.0], rtol=1e-5)
  np.testing.assert_allclose(regressor.mean_squared_errors(x, y, mask), [(0.7**2 + 0.3**2) / 2], rtol=1e-5)
  np.testing.assert_array_equal(regressor.mean_squared_errors(x, y, tf.zeros([3, 1])), [0.0])


def test_an_output_of_a_row_may_not_count_while_its_others_do():
  regressor = _regressor(1, 1, 2, hidden=())
  x, y = tf.constant([[1.0], [3.0]]), tf.constant([[5.0, 2.0], [99.0, 6.0]])
  mask = tf.constant([[1.0, 1.0], [0.0, 1.0]])
  regressor.update(x, y, mask)
  np.testing.assert_allclose(
    regressor.deviations, [1e-4, 2.0], rtol=1e-6
  )  # Of 5 alone, which is the least; of 2 and 6.
  b, w = sorted(regressor.trainable_variables, key=lambda v: v.name)
  b.assign([[[0.5, 0.0]]])
  w.assign(tf.zeros_like(w))
  # 5 is said to be 0.5 deviations above the mean, which it is; 2 and 6 are one deviation from what is said.
  np.testing.assert_allclose(regressor.mean_squared_errors(x, y, mask), [0.25, 1.0], rtol=1e-5)


def test_what_makes_no_ensemble_is_refused():
  with pytest.raises(errors.UserError, match='number of members of an ensemble is 0, and has to be at least 1'):
    networks.EnsembleMLP(0, [2])
  with pytest.raises(errors.UserError, match="There is no activation 'rleu'; did you mean relu"):
    networks.EnsembleMLP(2, [2], 'rleu')
