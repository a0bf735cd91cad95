"""Unrolled networks: a sequence at once is the same as its steps one by one, with the state starting anew."""

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import networks

_OBSERVATION = {'a': dm_specs.Array((3,), np.float32), 'b': dm_specs.Array((), np.float32)}


def _network(lstm_size):
  network = networks.Unrollable(
    networks.MLPTorso((6,)), networks.PolicyAndValueHead(dm_specs.DiscreteArray(4)), networks.lstm(lstm_size)
  )
  output = networks.create_unrolled(network, _OBSERVATION)
  assert (output.policy.logits.shape, output.value.shape) == ((1, 4), (1,))
  return network


def _sequence(batch=3, length=5):
  rng = np.random.RandomState(0)
  observation = {'a': rng.randn(batch, length, 3), 'b': rng.randn(batch, length)}
  first = np.zeros((batch, length), bool)
  first[0, 2] = first[1, 0] = True
  return {name: tf.constant(leaf, tf.float32) for name, leaf in observation.items()}, tf.constant(first)


@pytest.mark.parametrize('lstm_size', [None, 7])
def test_a_sequence_is_its_steps(lstm_size):
  network = _network(lstm_size)
  observation, first = _sequence()
  begin = tf.nest.map_structure(lambda x: x + 0.3, network.initial_state(3))
  outputs, end = network.unroll(observation, begin, first)
  for row in range(3):
    state = tf.nest.map_structure(lambda x, row=row: x[row : row + 1], begin)
    for t in range(5):
      if first[row, t]:
        state = network.initial_state(1)
      step = {name: leaf[row : row + 1, t] for name, leaf in observation.items()}
      output, state = network(step, state)
      np.testing.assert_allclose(outputs.policy.logits[row, t], output.policy.logits[0], atol=1e-5)
      np.testing.assert_allclose(outputs.value[row, t], output.value[0], atol=1e-5)
    for found, expected in zip(tf.nest.flatten(end), tf.nest.flatten(state)):
      np.testing.assert_allclose(found[row], expected[0], atol=1e-5)


@pytest.mark.parametrize('lstm_size', [None, 7])
def test_each_step_from_the_state_before_it_is_the_sequence(lstm_size):
  network = _network(lstm_size)
  observation, first = _sequence()
  arguments = observation, tf.nest.map_structure(lambda x: x + 0.3, network.initial_state(3)), first
  before = network.states_before(*arguments)
  outputs, _ = network.unroll(*arguments)
  each = network.step_each(observation, before)
  np.testing.assert_allclose(each.policy.logits, outputs.policy.logits, atol=1e-5)
  np.testing.assert_allclose(each.value, outputs.value, atol=1e-5)
  # What would have been seen in one step counts in that step alone.
  other = {
    name: leaf + 5.0 * tf.one_hot([2], 5)[(..., *[None] * (len(leaf.shape) - 2))] for name, leaf in observation.items()
  }
  changed = np.abs(network.step_each(other, before).value - each.value) > 1e-4
  np.testing.assert_array_equal(changed, np.tile(np.arange(5) == 2, (3, 1)))


def test_without_a_core_there_is_no_state():
  network = _network(None)
  assert network.initial_state(3) == ()
  assert not any(isinstance(module, snt.RNNCore) for module in network.submodules)


def test_states_of_any_rank_start_anew():
  """A state [B, H, W, C] whose width is the batch's size would be broadcast without a word."""
  rnn = snt.Conv2DLSTM(input_shape=(2, 3, 1), output_channels=1, kernel_shape=2)
  network = networks.Unrollable(_Pictures(), snt.Flatten(), rnn)
  pictures, first = tf.random.stateless_normal([3, 4, 2, 3, 1], [0, 0]), tf.constant(_sequence(3, 4)[1])
  begin = tf.nest.map_structure(tf.ones_like, network.initial_state(3))
  outputs, _ = network.unroll(pictures, begin, first)
  for row, start in ((0, 2), (1, 0)):
    again, _ = network.unroll(pictures[row : row + 1, start:], network.initial_state(1), tf.zeros([1, 4 - start], bool))
    np.testing.assert_allclose(outputs[row, start:], again[0], atol=1e-6)


class _Pictures(snt.Module):
  def __call__(self, observation):
    return observation
