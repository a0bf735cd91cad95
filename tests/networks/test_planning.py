"""The planner on models so small that its plans can be worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tests.agents import contexts
from tfacme import errors, networks
from tfacme.networks import planning
from tfacme.tensors import states

_SPEC = {'arm': dm_specs.BoundedArray((1,), np.float32, -2.0, 2.0), 'leg': dm_specs.BoundedArray((), np.float32, 0, 1)}


class _Line(tf.Module):
  """A place that actions move, which is its reward, and its value 10 times that; proposals follow the action before."""

  def propose(self, state, previous_action):
    return 0.5 * previous_action + 0.1

  def step(self, state, action):
    following = state + action[:, :1]
    return following, following[:, 0]

  def value(self, state, previous_action):
    return 10.0 * state[:, 0] + previous_action[:, 0]


class _InTurn(_Line):
  """Trajectory n proposes the n-th of some actions."""

  def __init__(self, proposed):
    super().__init__()
    self._proposed = tf.constant(proposed)

  def propose(self, state, previous_action):
    return tf.tile(self._proposed[:, tf.newaxis], [tf.shape(state)[0] // len(self._proposed), 1])


def _plan(model, planner, state, plan, seed=0):
  """The plan, in a graph as an actor has it."""

  @tf.function(autograph=False)
  def call(state, plan):
    with networks.drawing(tf.constant([seed, 0]), networks.Phase.EVALUATION):
      return planner(model, state, plan)

  return call(tf.constant(state, tf.float32), tf.constant(plan, tf.float32)).numpy()


def test_a_single_trajectory_without_noise_is_what_the_model_proposes():
  """Half of the action before and 0.1 more, from the first of the last plan on."""
  found = _plan(_Line(), networks.MPPI(3, 1, 0.0, 0.0, 1.0), [[0.0], [5.0]], [[[0.4], [9], [9]], [[0.0], [9], [9]]])
  np.testing.assert_allclose(found[..., 0], [[0.3, 0.25, 0.225], [0.1, 0.15, 0.175]], rtol=1e-6)


def test_actions_are_mixed_with_those_of_the_last_plan_for_the_same_step():
  """With a beta of 0.2: 0.8 (0.5 a + 0.1) + 0.2 T; the last plan has nothing for the last step but its last action."""
  last = [[[0.0], [0.5], [-1.0]]]
  found = _plan(_Line(), networks.MPPI(3, 1, 0.0, 0.2, 1.0), [[0.0]], last)
  first = 0.8 * 0.1 + 0.2 * 0.5
  second = 0.8 * (0.5 * first + 0.1) + 0.2 * -1.0
  np.testing.assert_allclose(found[0, :, 0], [first, second, 0.8 * (0.5 * second + 0.1) + 0.2 * -1.0], rtol=1e-5)
  whole = _plan(_Line(), networks.MPPI(3, 4, 9.0, 1.0, 1.0), [[0.0]], last)
  np.testing.assert_allclose(whole[0, :, 0], [0.5, -1.0, -1.0], rtol=1e-6)


@pytest.mark.parametrize('kappa, weights', [(0.0, [1, 1, 1]), (0.1, np.exp([0.0, 1.6, 0.8])), (1e3, [0, 1, 0])])
def test_trajectories_are_averaged_by_their_returns(kappa, weights):
  """From place 1 two steps of a: rewards 1 + a and 1 + 2a, the value 10 (1 + 2a) + a: 12 + 24a, here -0.5 to 1/6."""
  actions = [-0.5, 1 / 6, -1 / 6]
  found = _plan(_InTurn(actions), networks.MPPI(2, 3, 0.0, 0.0, kappa), [[1.0], [2.0]], np.zeros((2, 2, 1)))
  np.testing.assert_allclose(found, np.full((2, 2, 1), np.average(actions, weights=weights)), rtol=1e-4)


def test_actions_of_trajectories_keep_within_their_bounds():
  found = _plan(_InTurn([4.0, 4.0]), networks.MPPI(2, 2, 0.0, 0.0, 1.0), [[0.0]], np.zeros((1, 2, 1)))
  np.testing.assert_array_equal(found[0, :, 0], [1.0, 1.0])


def test_noise_is_of_its_deviation_and_another_one_in_each_step():
  planner = networks.MPPI(2, 4_000, 0.1, 0.0, 0.0)
  with networks.drawing(tf.constant([1, 2])):
    chosen, _ = planner._sample(_InTurn([0.25, 0.25]), tf.zeros([1, 1]), tf.zeros([1, 2, 1]))
  np.testing.assert_allclose(np.mean(chosen, axis=1), 0.25, atol=0.01)
  np.testing.assert_allclose(np.std(chosen, axis=1), 0.1, rtol=0.05)
  assert abs(np.corrcoef(chosen[..., 0])[0, 1]) < 0.05


def test_plans_are_a_function_of_the_seed():
  planner = networks.MPPI(3, 5, 0.5, 0.2, 1.0)
  first, again, other = (_plan(_Line(), planner, [[0.0]] * 3, np.zeros((3, 3, 1)), seed) for seed in (0, 0, 1))
  np.testing.assert_array_equal(first, again)
  assert not np.allclose(first, other)


def test_a_plan_a_step_later():
  plan = tf.reshape(tf.range(6.0), [1, 3, 2])
  np.testing.assert_array_equal(planning.shifted(plan), [[[2, 3], [4, 5], [4, 5]]])
  np.testing.assert_array_equal(planning.shifted(plan[:, :1]), [[[0, 1]]])


def test_the_policy_takes_the_first_action_of_its_plan_which_is_its_state():
  """Two numbers an action, which are proposed as half of those before and 0.1 more, where they lie from -1 to 1."""
  policy = networks.PlanningPolicy(_Line(), networks.MPPI(2, 3, 0.0, 0.0, 1.0), _SPEC)
  state = initial = policy.initial_state(2)
  np.testing.assert_array_equal(initial, np.zeros((2, 2, 2)))
  observation = {'a': tf.zeros([2]), 'b': tf.ones([2, 3])}
  firsts = [(True, True), (False, False), (False, True)]
  proposed = []
  for first in firsts:
    state = states.restart(tf.constant(first), initial, state)
    with networks.drawing(tf.constant([1, 2])):
      action, state, extras = policy(observation, state, contexts.context(2))
    np.testing.assert_allclose(action['arm'], 2.0 * state[:, 0, :1], rtol=1e-5)
    np.testing.assert_allclose(action['leg'], 0.5 * state[:, 0, 1] + 0.5, rtol=1e-5)
    assert extras == {} and state.shape == (2, 2, 2)
    proposed.append(state[:, 0, 0].numpy())
  np.testing.assert_allclose(proposed, [[0.1, 0.1], [0.15, 0.15], [0.175, 0.1]], rtol=1e-5)


@pytest.mark.parametrize(
  'changed, says',
  [
    ({'horizon': 0}, 'horizon is 0, and has to be at least 1'),
    ({'beta': 1.5}, 'beta is 1.5, and has to be at most 1'),
    ({'kappa': float('inf')}, 'kappa is inf, and has to be a finite number'),
  ],
)
def test_a_planner_refuses_what_makes_no_sense(changed, says):
  settings = {'horizon': 1, 'trajectories': 1, 'sigma': 0.1, 'beta': 0.0, 'kappa': 1.0}
  with pytest.raises(errors.UserError, match=says):
    networks.MPPI(**{**settings, **changed})
