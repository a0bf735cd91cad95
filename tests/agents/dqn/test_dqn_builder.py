"""DQN's builder: what it refuses, what it puts together, and that all of it can be pickled and exported."""

import cloudpickle
import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf
from dm_env import specs as dm_specs

from tests.agents import contexts
from tests.parity import discrete
from tfacme import errors, networks, specs
from tfacme.agents import dqn
from tfacme.replay import sources, tables
from tfacme.replay.items import Items


def _spec(actions=dm_specs.DiscreteArray(3), observations=dm_specs.Array((10, 5), np.float32)):
  reward, discount = dm_specs.Array((), np.float32), dm_specs.BoundedArray((), np.float32, 0, 1)
  return specs.EnvironmentSpec(observations, actions, reward, discount)


@pytest.mark.parametrize(
  'actions, words',
  [
    (dm_specs.BoundedArray((6,), np.float32, -1, 1), 'actions of shape (6,) and type float32'),
    (dm_specs.BoundedArray((2,), np.int32, 0, 3), 'actions of shape (2,) and type int32'),
    ((dm_specs.DiscreteArray(2), dm_specs.DiscreteArray(3)), 'a nest of 2 actions'),
  ],
)
def test_it_refuses_other_actions(actions, words):
  with pytest.raises(errors.UserError) as error:
    dqn.DQNBuilder().check(_spec(actions))
  assert str(error.value) == f'DQN needs a single discrete action, and this environment has {words}.'


def test_what_fills_up_an_item_counts_for_no_statistics_of_observations():
  """Around a wrapper that looks at each row."""

  def learned(filling):
    with networks.seeded(0):
      made = dqn.default_networks((4,), normalize_observations=True)(discrete.SPEC)
    batch = discrete.batch(0, 3)
    observation = np.random.RandomState(0).randn(*batch.mask.shape, 4).astype(np.float32)
    ended = np.cumsum(1 - batch.mask, axis=1) - (1 - batch.mask) > 0
    assert ended[:, :3].any()
    observation[:, :3][ended[:, :3]] = filling  # The last row is the one to bootstrap from.
    batch = batch._replace(steps=batch.steps._replace(observation=observation))
    update = dqn.DQNBuilder(dqn.DQNConfig(n_step=3)).update(made, discrete.SPEC)
    update(tf.nest.map_structure(tf.constant, batch))
    return [variable.numpy() for variable in update.variables]

  for with_zeros, with_others in zip(learned(0.0), learned(9.0)):
    np.testing.assert_array_equal(with_zeros, with_others)


def test_it_accepts_a_discrete_action():
  dqn.DQNBuilder().check(_spec())


@pytest.mark.parametrize(
  'q, found',
  [
    (snt.Sequential([snt.Flatten(), snt.Linear(4)]), '(4,) for each observation'),
    (lambda observation: {'q': snt.flatten(observation)}, 'a dict'),
  ],
)
def test_it_refuses_networks_that_do_not_fit(q, found):
  with pytest.raises(errors.UserError) as error:
    dqn.DQNBuilder().checks_networks(dqn.DQNNetworks(q), _spec())
  message = f'The Q network of DQN returns {found}, and has to return 3 values, one for each action.'
  assert str(error.value) == message


def test_it_creates_the_variables_of_networks_that_did_not():
  q = snt.Sequential([snt.Flatten(), snt.Linear(3)])
  dqn.DQNBuilder().checks_networks(dqn.DQNNetworks(q), _spec())
  assert len(q.variables) == 2
  assert dqn.DQNBuilder().update(dqn.DQNNetworks(q), _spec()).published['policy'] is q


def test_its_table_and_source():
  builder = dqn.DQNBuilder(dqn.DQNConfig(n_step=4, batch_size=8, max_replay_size=5_000, priority_exponent=0.5))
  (table,) = builder.tables(_spec())
  assert table.items == Items(length=5, observations='ends')
  assert (table.max_size, table.sampler) == (5_000, tables.Prioritized(0.5))
  assert builder.source(_spec()) == sources.Sample('replay', 8)
  (table,) = dqn.DQNBuilder(dqn.DQNConfig(priority_exponent=0.0)).tables(_spec())
  assert table.sampler == tables.Uniform()


@pytest.mark.parametrize('duelling', [False, True])
@pytest.mark.parametrize('factory', [dqn.mlp_networks, dqn.default_networks])
def test_builder_and_networks_can_be_pickled(factory, duelling):
  makes = factory(hidden_sizes=(4,), duelling=duelling)
  assert cloudpickle.loads(cloudpickle.dumps(makes)) == makes
  builder = cloudpickle.loads(cloudpickle.dumps(dqn.DQNBuilder()))
  builder.checks_networks(makes(_spec()), _spec())


def test_an_update_starts_as_its_seed_says():
  def target(seed):
    with networks.seeded(seed):
      made = dqn.mlp_networks((4,))(_spec())
      return [v.numpy() for v in dqn.DQNBuilder().update(made, _spec()).variables]

  first, second = target(1), target(1)
  assert all(np.array_equal(a, b) for a, b in zip(first, second))


def _context(seed, batch, steps=0, slots=1):
  return contexts.context(batch, steps, seed=(seed, 0), of=slots)


class _Table(tf.Module):
  """Fixed action values, whatever the observation."""

  def __init__(self, q):
    super().__init__()
    self._q = tf.constant(q)

  def __call__(self, observation):
    return tf.tile(self._q[tf.newaxis], [tf.shape(observation)[0], 1])


def _actions(q, evaluation=False, size=4_000, steps=0, slots=1, **changes):
  spec = _spec()._replace(actions=dm_specs.DiscreteArray(len(q)))
  policy = dqn.DQNBuilder(dqn.DQNConfig(**changes)).policy(dqn.DQNNetworks(_Table(q)), spec, evaluation)
  action, state, extras = policy(tf.zeros([size, 1]), (), _context(1, size, steps, slots))
  assert (state, extras, action.dtype) == ((), {}, tf.int32)
  return action.numpy()


def test_the_policy_is_greedy_without_epsilon():
  assert np.all(_actions([0.0, 2.0, 1.0], epsilon=0.0) == 1)


def test_the_policy_explores_all_actions_alike():
  shares = np.bincount(_actions([0.0, 2.0, 1.0, 0.0], epsilon=0.4)) / 4_000
  np.testing.assert_allclose(shares, [0.1, 0.7, 0.1, 0.1], atol=0.03)


def test_ties_are_broken_at_random():
  shares = np.bincount(_actions([2.0, 1.0, 2.0], epsilon=0.0)) / 4_000
  np.testing.assert_allclose(shares, [0.5, 0, 0.5], atol=0.03)


def test_an_evaluation_without_epsilon_draws_nothing():
  assert np.all(_actions([1.0, 2.0, 2.0], evaluation=True) == 1)


def test_epsilon_follows_its_schedule():
  explored = [np.mean(_actions([0.0, 1.0], epsilon=(1.0, 0.0, 100), steps=steps) == 0) for steps in (0, 50, 100, 500)]
  np.testing.assert_allclose(explored, [0.5, 0.25, 0, 0], atol=0.03)


def test_the_ladder_gives_each_slot_its_epsilon():
  explores = _actions([0.0, 1.0], epsilon=0.5, epsilon_ladder=7.0, slots=4_000) == 0
  expected = 0.5 * 0.5 ** (1 + 7 * np.arange(4_000) / 3_999)
  for part in np.split(np.arange(4_000), 4):
    np.testing.assert_allclose(explores[part].mean(), expected[part].mean(), atol=0.03)


def test_evaluation_has_its_own_epsilon():
  assert np.all(_actions([0.0, 1.0], evaluation=True, epsilon=1.0) == 1)
  explored = np.mean(_actions([0.0, 1.0], evaluation=True, epsilon=0.0, evaluation_epsilon=0.5) == 0)
  np.testing.assert_allclose(explored, 0.25, atol=0.03)


def test_the_policy_is_a_function_of_its_seed():
  first = _actions([0.0, 1.0], epsilon=0.5)
  np.testing.assert_array_equal(first, _actions([0.0, 1.0], epsilon=0.5))


def test_the_policy_takes_the_action_type_of_the_environment():
  spec = _spec()._replace(actions=dm_specs.DiscreteArray(2, np.int64))
  policy = dqn.DQNBuilder().policy(dqn.DQNNetworks(_Table([0.0, 1.0])), spec, evaluation=True)
  assert policy(tf.zeros([1, 1]), (), _context(1, 1))[0].dtype == tf.int64


def test_the_policy_adds_no_variables_and_can_be_exported(tmp_path):
  builder = dqn.DQNBuilder()
  made = dqn.mlp_networks((4,))(_spec())
  policy = builder.policy(made, _spec(), evaluation=True)
  assert [v.ref() for v in policy.variables] == [v.ref() for v in made.q.variables]

  @tf.function(input_signature=[tf.TensorSpec([None, 10, 5])])
  def act(observation):
    return policy(observation, (), _context(0, tf.shape(observation)[0]))[0]

  policy.act = act
  tf.saved_model.save(policy, str(tmp_path))
  observation = tf.random.stateless_normal([6, 10, 5], [0, 1])
  loaded = tf.saved_model.load(str(tmp_path))
  np.testing.assert_array_equal(loaded.act(observation), act(observation))


def test_published_values_fit_the_policy():
  builder = dqn.DQNBuilder()
  update = builder.update(dqn.default_networks((4, 3), duelling=True)(_spec()), _spec())
  policy = builder.policy(dqn.default_networks((4, 3), duelling=True)(_spec()), _spec(), evaluation=False)
  assert [v.name for v in update.published['policy'].variables] == [v.name for v in policy.variables]
