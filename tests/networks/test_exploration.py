"""Noise on actions."""

import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tests.agents import contexts
from tfacme import networks

_SEED = tf.constant([1, 2])


def test_noise_has_its_deviation_and_keeps_the_bounds():
  noisy = networks.add_noise(tf.fill([5_000, 2], 0.1), 0.2, _SEED).numpy()
  np.testing.assert_allclose([noisy.mean(), noisy.std()], [0.1, 0.2], atol=0.01)
  assert np.abs(np.corrcoef(noisy.T)[0, 1]) < 0.05
  at_the_end = networks.add_noise(tf.ones([1_000, 1]), 0.2, _SEED).numpy()
  assert at_the_end.max() == 1.0 and 0.4 < np.mean(at_the_end == 1.0) < 0.6


def test_noise_is_clipped():
  noisy = networks.add_noise(tf.zeros([5_000]), 0.2, _SEED, limit=0.1).numpy()
  np.testing.assert_allclose([noisy.min(), noisy.max()], [-0.1, 0.1])
  np.testing.assert_allclose(np.mean(np.abs(noisy) == np.float32(0.1)), 0.617, atol=0.03)  # beyond half a deviation


def test_the_parts_of_a_nest_have_noise_of_their_own():
  noisy = networks.add_noise({'arm': tf.zeros([100, 1]), 'leg': tf.zeros([100, 1])}, 0.2, _SEED)
  assert set(noisy) == {'arm', 'leg'} and not np.intersect1d(noisy['arm'], noisy['leg']).size


def _actions(steps, deviation=0.1, random_steps=0, size=4_000):
  spec = dm_specs.BoundedArray((1,), np.float32, 0.0, 4.0)
  network = lambda observation: networks.Deterministic(tf.zeros([size, 1]))
  policy = networks.NetworkPolicy(network, networks.NoisyMode(spec, deviation, random_steps))
  action, state, extras = policy(tf.zeros([size, 3]), (), contexts.context(size, steps))
  assert state == () and extras == {}
  return action.numpy()


def test_a_noisy_policy_follows_its_schedule():
  # An action of 0 is 2 to the environment, and 0.1 is 0.2.
  deviations = [_actions(steps, deviation=(0.2, 0.0, 100)).std() for steps in (0, 50, 100)]
  np.testing.assert_allclose(deviations, [0.4, 0.2, 0.0], atol=0.02)
  np.testing.assert_allclose(_actions(0).mean(), 2.0, atol=0.02)


def test_a_noisy_policy_is_random_at_first():
  action = _actions(9, random_steps=10)
  np.testing.assert_allclose([action.min(), action.max(), action.std()], [0.0, 4.0, 4 / 12**0.5], atol=0.05)
  assert _actions(10, random_steps=10).std() < 0.3


@pytest.mark.parametrize(
  'values, dtype, best',
  [
    ([networks.ILLEGAL, 3.0, 2.0], tf.float32, 1),
    ([networks.ILLEGAL, -8e8, -6e8], tf.float32, 2),
    ([-9e8, -8e8, -6e8], tf.float32, 2),
    ([networks.ILLEGAL, 3.0, 2.0], tf.float16, 1),
    ([networks.ILLEGAL, 3.0, 2.0], tf.bfloat16, 1),
  ],
)
@pytest.mark.parametrize('epsilon', [0.0, 0.5, 1.0])
def test_no_illegal_action_is_taken_whatever_the_values(values, dtype, best, epsilon):
  q = tf.cast(tf.tile([tf.constant(values)], [2_000, 1]), dtype)
  taken = networks.epsilon_greedy(q, epsilon, _SEED).numpy()
  legal = [i for i, value in enumerate(values) if value > networks.ILLEGAL]
  assert set(taken) <= set(legal)
  greedy = networks.Greedy()(q, contexts.context(2_000)).numpy()
  assert set(greedy) == {best}
  ordinary = max(values) > networks.ILLEGAL / 2
  shares = np.bincount(taken, minlength=3) / len(taken)
  wanted = [(epsilon / len(legal) if i in legal and ordinary else 0.0) for i in range(3)]
  wanted[best] += 1.0 - sum(wanted)
  np.testing.assert_allclose(shares, wanted, atol=0.04)


def test_uniform_actions_are_a_nest_like_the_others():
  action = {'arm': tf.zeros([1_000, 3, 2]), 'tool': tf.zeros([1_000, 3, 1])}
  uniform = networks.uniform_like(action, _SEED)
  assert {name: part.shape for name, part in uniform.items()} == {name: part.shape for name, part in action.items()}
  for part in uniform.values():
    np.testing.assert_allclose([np.min(part), np.max(part), np.mean(part)], [-1.0, 1.0, 0.0], atol=0.05)
  assert abs(np.corrcoef(uniform['arm'][:, 0, 0], uniform['tool'][:, 0, 0])[0, 1]) < 0.1
