"""What holds of each agent that imitates the better of its replayed transitions: AWAC, CRR, IQL."""

import cloudpickle
import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

import tfacme
from tests.agents import contexts
from tfacme import core, datasets, errors, networks, specs, testing
from tfacme.replay import sources
from tfacme.replay.items import Items

CONTINUOUS = dm_specs.BoundedArray((2,), np.float32, -2.0, 2.0)
NEST = {'arm': CONTINUOUS, 'tool': dm_specs.DiscreteArray(3)}


def spec(actions=CONTINUOUS):
  """Of an environment with four numbers to observe."""
  reward, discount = dm_specs.Array((), np.float32), dm_specs.BoundedArray((), np.float32, 0, 1)
  return specs.EnvironmentSpec(dm_specs.Array((4,), np.float32), actions, reward, discount)


def check_refuses_actions_without_bounds(builder, name):
  """It says who can't learn there."""
  with pytest.raises(errors.UserError, match=f'^{name} .* needs actions with bounds'):
    builder.check(spec(dm_specs.Array((2,), np.float32)))


def check_table_and_source(agent):
  """One table of n-step transitions, and batches of it."""
  builder = agent.Builder(agent.Config(n_step=2, batch_size=8, max_replay_size=5_000))
  (table,) = builder.tables(spec())
  assert (table.items, table.max_size) == (Items(length=3, observations='ends'), 5_000)
  assert builder.source(spec()) == sources.Sample('replay', 8)


def check_pickles(agent):
  """Builder and networks can be sent to other processes."""
  factory = agent.default_networks((4,), critics=3)
  assert cloudpickle.loads(cloudpickle.dumps(factory)) == factory
  builder = cloudpickle.loads(cloudpickle.dumps(agent.Builder()))
  builder.checks_networks(factory(spec()), spec())


def check_samples(builder, make):
  """It samples, and an evaluation takes the mode; `make` puts a policy's head into networks."""
  head = lambda observation: networks.Gaussian(tf.fill([1_000, 2], 0.5), tf.fill([1_000, 2], -3.0))
  made, context = make(head), contexts.context(1_000)
  action, state, extras = builder.policy(made, spec(), False)(tf.zeros([1_000, 4]), (), context)
  assert (state, extras) == ((), {})
  np.testing.assert_allclose(np.mean(action, axis=0), 1.0, atol=0.02)
  assert 0.05 < np.std(action) < 0.2
  action, _, _ = builder.policy(made, spec(), True)(tf.zeros([1_000, 4]), (), context)
  np.testing.assert_allclose(action, 1.0, rtol=1e-5)


def check_takes_nests_of_actions(agent):
  """A learning step from actions that are choices and numbers has finite metrics."""
  builder, made = agent.Builder(), agent.default_networks((8,))(spec(NEST))
  builder.checks_networks(made, spec(NEST))
  zeros, ones = np.zeros((4, 2), np.float32), np.ones((4, 2), np.float32)
  action = {'arm': np.zeros((4, 2, 2), np.float32), 'tool': np.ones((4, 2), np.int32)}
  steps = core.Step(np.zeros((4, 2, 4), np.float32), action, ones, ones, zeros > 0, zeros > 0)
  with networks.drawing(tf.constant([1, 2])):
    output = builder.update(made, spec(NEST))(tf.nest.map_structure(tf.constant, core.Batch(steps, ones, ())))
  assert np.isfinite(list(output.metrics.values())).all()


def check_learns_to_reach(agent, folder, **config):
  """It learns from random episodes of `testing.Reach` what these do not show."""
  builder = agent.Builder(agent.Config(discount=0.9, batch_size=64, **config))
  recorded, learned = learned_to_reach(builder, agent.default_networks((32, 32)), folder, steps=600)
  assert recorded < -6
  assert learned > -4


def learned_to_reach(builder, networks_, folder, steps, policy=None, episodes=100):
  """(mean return of recorded episodes of `testing.Reach`, of the policy that was learned from them)."""
  path = str(folder / 'recorded')
  returns = tfacme.record(policy, testing.Reach(1), episodes, path)
  experiment = tfacme.Experiment(
    builder=builder,
    networks=networks_,
    environment=testing.Reach,
    budget=tfacme.Budget(learner_steps=steps),
    evaluation=tfacme.Evaluation(every=0),
    dataset=datasets.rlds(path),
  )
  run = tfacme.train(experiment, str(folder / 'run'), progress=False)
  return np.mean(returns), run.evaluate(20).mean
