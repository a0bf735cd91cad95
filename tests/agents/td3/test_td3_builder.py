"""TD3's builder: what it refuses, what it puts together, how it acts; and that it learns, as DDPG too."""

import cloudpickle
import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

import tfacme
from tests.agents import contexts, replayed
from tests.parity import continuous, references
from tfacme import errors, networks, specs, testing
from tfacme.agents import sac, td3
from tfacme.losses import deterministic

_BOUNDED = dm_specs.BoundedArray((2,), np.float32, -2.0, 2.0)


def _spec(actions=_BOUNDED, observations=dm_specs.Array((4,), np.float32)):
  reward, discount = dm_specs.Array((), np.float32), dm_specs.BoundedArray((), np.float32, 0, 1)
  return specs.EnvironmentSpec(observations, actions, reward, discount)


def test_it_refuses_other_actions():
  with pytest.raises(errors.UserError, match='^TD3 needs continuous actions, and this environment has a discrete'):
    td3.TD3Builder().check(_spec(dm_specs.DiscreteArray(3)))


def test_it_refuses_networks_that_do_not_fit():
  made = sac.default_networks((8,))(_spec())
  with pytest.raises(errors.UserError, match='of TD3 returns a TanhGaussian, and has to return a networks.Determin'):
    td3.TD3Builder().checks_networks(made, _spec())


@pytest.mark.parametrize(
  'changes, says',
  [
    ({'policy_period': 0}, 'policy_period is 0, and has to be at least 1'),
    ({'target_noise': -0.1}, 'target_noise is -0.1, and has to be at least 0'),
    ({'target_noise_limit': 0.0}, 'target_noise_limit is 0.0, and has to be more than 0'),
    ({'noise': (0.1, -0.1, '50%')}, 'noise is -0.1, and has to be at least 0'),
    ({'target_update_rate': 1.5}, 'target_update_rate is 1.5, and has to be at most 1'),
  ],
)
def test_its_config_refuses_what_makes_no_sense(changes, says):
  with pytest.raises(errors.UserError, match=says):
    td3.TD3Config(**changes)


def test_its_table_and_source():
  replayed.check_table_and_source(td3)


def test_builder_and_networks_can_be_pickled():
  factory = td3.default_networks((4,), critics=1)
  assert cloudpickle.loads(cloudpickle.dumps(factory)) == factory
  builder = td3.TD3Builder(policy_loss=deterministic.BehaviourRegularized(1.0))
  again = cloudpickle.loads(cloudpickle.dumps(builder))
  assert again == builder
  again.checks_networks(factory(_spec()), _spec())


def _actions(evaluation, steps, size=1_000):
  head = lambda observation: networks.Deterministic(tf.fill([size, 2], 0.5))
  config = td3.TD3Config(random_steps=100, noise=0.1)
  policy = td3.TD3Builder(config).policy(td3.TD3Networks(head, []), _spec(), evaluation)
  action, state, extras = policy(tf.zeros([size, 4]), (), contexts.context(size, steps))
  assert (state, extras) == ((), {})
  return action.numpy()


def test_it_acts_at_random_first_and_with_noise_then():
  first, then = _actions(False, 99), _actions(False, 100)
  np.testing.assert_allclose(first.std(axis=0), 4 / np.sqrt(12), atol=0.1)
  np.testing.assert_allclose(then.mean(axis=0), 1.0, atol=0.03)
  np.testing.assert_allclose(then.std(axis=0), 0.2, atol=0.02)  # Actions are from -2 to 2.


def test_an_evaluation_adds_no_noise():
  np.testing.assert_allclose(_actions(True, 0), 1.0, rtol=1e-6)


def test_the_policy_and_the_targets_are_delayed():
  made = td3.default_networks((8,))(continuous.SPEC)
  update = td3.TD3Builder(td3.TD3Config(policy_period=3)).update(made, continuous.SPEC)
  step, batch = references.compiled(update), tf.nest.map_structure(tf.constant, continuous.batch(0, 1))
  parts = [made.critics[1], made.policy, update._target_policy.network, update._target_critics.network]
  moved = []
  for _ in range(4):
    before = [[variable.numpy() for variable in part.variables] for part in parts]
    step(batch)
    moved.append([_differ(old, part.variables) for old, part in zip(before, parts)])
  assert moved == [[True] * 4, *[[True, False, False, False]] * 2, [True] * 4]


def _differ(old, new):
  return any((one != other.numpy()).any() for one, other in zip(old, new))


@pytest.mark.slow
@pytest.mark.parametrize(
  'critics, changes', [(2, {}), (1, {'policy_period': 1, 'target_noise': 0.0})], ids=['TD3', 'DDPG']
)
def test_it_learns_to_reach(critics, changes, tmp_path):
  config = td3.TD3Config(
    discount=0.9,
    batch_size=64,
    samples_per_insert=64.0,
    min_replay_size=200,
    random_steps=200,
    policy_learning_rate=3e-3,
    critic_learning_rate=3e-3,
    **changes,
  )
  experiment = tfacme.Experiment(
    builder=td3.TD3Builder(config),
    networks=td3.default_networks((32, 32), critics=critics),
    environment=testing.Reach,
    budget=tfacme.Budget(actor_steps=1_500),
    evaluation=tfacme.Evaluation(every=0, episodes=20),
  )
  run = tfacme.train(experiment, str(tmp_path), progress=False)
  assert run.evaluate(20).mean > -1.5  # at random it is -7.9
