"""IQL's builder: what it refuses, what it puts together, how it acts; and that it learns from recorded episodes."""

import dataclasses

import cloudpickle
import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf
from dm_env import specs as dm_specs

import tfacme
from tests.agents import contexts
from tfacme import core, datasets, errors, networks, specs, testing
from tfacme.agents import iql
from tfacme.replay import sources
from tfacme.replay.items import Items

_CONTINUOUS = dm_specs.BoundedArray((2,), np.float32, -2.0, 2.0)
_NEST = {'arm': _CONTINUOUS, 'tool': dm_specs.DiscreteArray(3)}


def _spec(actions=_CONTINUOUS):
  reward, discount = dm_specs.Array((), np.float32), dm_specs.BoundedArray((), np.float32, 0, 1)
  return specs.EnvironmentSpec(dm_specs.Array((4,), np.float32), actions, reward, discount)


def test_it_refuses_actions_without_bounds():
  with pytest.raises(errors.UserError, match='^IQL .* needs actions with bounds'):
    iql.IQLBuilder().check(_spec(dm_specs.Array((2,), np.float32)))


def test_it_refuses_networks_that_do_not_fit():
  made = iql.default_networks((8,))(_spec())
  other = networks.PolicyAndCritics(made.policy, made.critics)
  with pytest.raises(errors.UserError, match='needs networks with the parts of IQLNetworks, .* has no value'):
    iql.IQLBuilder().checks_networks(other, _spec())
  with pytest.raises(errors.UserError, match=r'value network of IQL returns \(3,\) for each observation'):
    iql.IQLBuilder().checks_networks(dataclasses.replace(made, value=snt.Linear(3)), _spec())
  with pytest.raises(errors.UserError, match='returns a TensorSpec, and has to return a networks.Gaussian'):
    iql.IQLBuilder().checks_networks(dataclasses.replace(made, policy=snt.Linear(2)), _spec())


@pytest.mark.parametrize(
  'changes, says',
  [
    ({'expectile': 1.5}, 'expectile is 1.5, and has to be at most 1'),
    ({'inverse_temperature': -1.0}, 'inverse_temperature is -1.0, and has to be at least 0'),
    ({'max_weight': 0.0}, 'max_weight is 0.0, and has to be more than 0'),
  ],
)
def test_its_config_refuses_what_makes_no_sense(changes, says):
  with pytest.raises(errors.UserError, match=says):
    iql.IQLConfig(**changes)


def test_its_table_and_source():
  builder = iql.IQLBuilder(iql.IQLConfig(n_step=2, batch_size=8, max_replay_size=5_000))
  (table,) = builder.tables(_spec())
  assert (table.items, table.max_size) == (Items(length=3, observations='ends'), 5_000)
  assert builder.source(_spec()) == sources.Sample('replay', 8)


def test_builder_and_networks_can_be_pickled():
  factory = iql.default_networks((4,), critics=3)
  assert cloudpickle.loads(cloudpickle.dumps(factory)) == factory
  builder = cloudpickle.loads(cloudpickle.dumps(iql.IQLBuilder()))
  builder.checks_networks(factory(_spec()), _spec())


def test_it_samples_and_an_evaluation_takes_the_mode():
  head = lambda observation: networks.Gaussian(tf.fill([1_000, 2], 0.5), tf.fill([1_000, 2], -3.0))
  made, context = iql.IQLNetworks(head, [], None), contexts.context(1_000)
  action, state, extras = iql.IQLBuilder().policy(made, _spec(), False)(tf.zeros([1_000, 4]), (), context)
  assert (state, extras) == ((), {})
  np.testing.assert_allclose(np.mean(action, axis=0), 1.0, atol=0.02)
  assert 0.05 < np.std(action) < 0.2
  action, _, _ = iql.IQLBuilder().policy(made, _spec(), True)(tf.zeros([1_000, 4]), (), context)
  np.testing.assert_allclose(action, 1.0, rtol=1e-5)


def test_it_learns_of_nested_actions_which_are_better():
  # The arm's first number and the tool say what is paid, whatever is observed.
  config = iql.IQLConfig(inverse_temperature=10.0, target_update_rate=0.1, **dict.fromkeys(_RATES, 1e-2))
  builder = iql.IQLBuilder(config)
  with networks.seeded(0):
    made = iql.default_networks((16,))(_spec(_NEST))
  builder.checks_networks(made, _spec(_NEST))
  update, rng = builder.update(made, _spec(_NEST)), np.random.RandomState(0)
  arm, tool = rng.uniform(-2, 2, (256, 2, 2)).astype(np.float32), rng.randint(3, size=(256, 2)).astype(np.int32)
  reward = arm[..., 0] + (tool == 2)
  ends = np.zeros((256, 2), np.float32)
  steps = core.Step(np.zeros((256, 2, 4), np.float32), {'arm': arm, 'tool': tool}, reward, ends, ends > 0, ends > 0)
  batch = tf.nest.map_structure(tf.constant, core.Batch(steps, ends + 1, ()))
  learn = tf.function(lambda: update(batch).metrics['loss'], autograph=False)
  for _ in range(200):
    learn()
  mode = made.policy(tf.zeros([1, 4])).mode()
  assert mode['tool'] == 2
  assert mode['arm'][0, 0] > 0.5  # On the scale from -1 to 1, of which the data has the mean 0.


_RATES = ('policy_learning_rate', 'value_learning_rate', 'critic_learning_rate')


def test_it_learns_to_reach_from_random_episodes(tmp_path):
  path = str(tmp_path / 'recorded')
  returns = tfacme.record(None, testing.Reach(1), 100, path)
  experiment = tfacme.Experiment(
    builder=iql.IQLBuilder(iql.IQLConfig(discount=0.9, batch_size=64, **dict.fromkeys(_RATES, 3e-3))),
    networks=iql.default_networks((32, 32)),
    environment=testing.Reach,
    budget=tfacme.Budget(learner_steps=600),
    evaluation=tfacme.Evaluation(every=0),
    dataset=datasets.rlds(path),
  )
  run = tfacme.train(experiment, str(tmp_path / 'run'), progress=False)
  assert np.mean(returns) < -6
  assert run.evaluate(20).mean > -4
