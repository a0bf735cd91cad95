"""CRR's builder: what it refuses, what it puts together; and that it learns from recorded episodes."""

import cloudpickle
import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

import tfacme
from tests.agents import contexts
from tfacme import core, datasets, errors, networks, specs, testing
from tfacme.agents import crr
from tfacme.replay import sources
from tfacme.replay.items import Items

_CONTINUOUS = dm_specs.BoundedArray((2,), np.float32, -2.0, 2.0)
_NEST = {'arm': _CONTINUOUS, 'tool': dm_specs.DiscreteArray(3)}


def _spec(actions=_CONTINUOUS):
  reward, discount = dm_specs.Array((), np.float32), dm_specs.BoundedArray((), np.float32, 0, 1)
  return specs.EnvironmentSpec(dm_specs.Array((4,), np.float32), actions, reward, discount)


def test_it_refuses_actions_without_bounds():
  with pytest.raises(errors.UserError, match='^CRR .* needs actions with bounds'):
    crr.CRRBuilder().check(_spec(dm_specs.Array((2,), np.float32)))


def test_it_refuses_networks_that_do_not_fit():
  made = crr.default_networks((8,))(_spec())
  with pytest.raises(errors.UserError, match='needs at least one critic'):
    crr.CRRBuilder().checks_networks(crr.CRRNetworks(made.policy, []), _spec())


@pytest.mark.parametrize(
  'changes, says',
  [
    ({'temperature': 0.0}, 'temperature is 0.0, and has to be more than 0'),
    ({'weights': 'binary'}, "no weights 'binary'"),
    ({'target_update_period': None}, 'Set one of target_update_period and target_update_rate'),
  ],
)
def test_its_config_refuses_what_makes_no_sense(changes, says):
  with pytest.raises(errors.UserError, match=says):
    crr.CRRConfig(**changes)


def test_its_table_and_source():
  builder = crr.CRRBuilder(crr.CRRConfig(n_step=2, batch_size=8, max_replay_size=5_000))
  (table,) = builder.tables(_spec())
  assert (table.items, table.max_size) == (Items(length=3, observations='ends'), 5_000)
  assert builder.source(_spec()) == sources.Sample('replay', 8)


def test_builder_and_networks_can_be_pickled():
  factory = crr.default_networks((4,), critics=3)
  assert cloudpickle.loads(cloudpickle.dumps(factory)) == factory
  builder = cloudpickle.loads(cloudpickle.dumps(crr.CRRBuilder()))
  builder.checks_networks(factory(_spec()), _spec())


def test_it_samples_and_an_evaluation_takes_the_mode():
  head = lambda observation: networks.Gaussian(tf.fill([1_000, 2], 0.5), tf.fill([1_000, 2], -3.0))
  made, context = crr.CRRNetworks(head, []), contexts.context(1_000)
  action, state, extras = crr.CRRBuilder().policy(made, _spec(), False)(tf.zeros([1_000, 4]), (), context)
  assert (state, extras) == ((), {})
  assert 0.05 < np.std(action) < 0.2
  action, _, _ = crr.CRRBuilder().policy(made, _spec(), True)(tf.zeros([1_000, 4]), (), context)
  np.testing.assert_allclose(action, 1.0, rtol=1e-5)


def test_it_learns_in_nests_of_actions():
  builder = crr.CRRBuilder()
  made = crr.default_networks((8,))(_spec(_NEST))
  builder.checks_networks(made, _spec(_NEST))
  zeros, ones = np.zeros((4, 2), np.float32), np.ones((4, 2), np.float32)
  action = {'arm': np.zeros((4, 2, 2), np.float32), 'tool': np.ones((4, 2), np.int32)}
  steps = core.Step(np.zeros((4, 2, 4), np.float32), action, ones, ones, zeros > 0, zeros > 0)
  with networks.drawing(tf.constant([1, 2])):
    output = builder.update(made, _spec(_NEST))(tf.nest.map_structure(tf.constant, core.Batch(steps, ones, ())))
  assert np.isfinite(list(output.metrics.values())).all()


def test_it_learns_to_reach_from_random_episodes(tmp_path):
  path = str(tmp_path / 'recorded')
  returns = tfacme.record(None, testing.Reach(1), 100, path)
  rates = dict.fromkeys(('policy_learning_rate', 'critic_learning_rate'), 3e-3)
  experiment = tfacme.Experiment(
    builder=crr.CRRBuilder(crr.CRRConfig(discount=0.9, batch_size=64, temperature=0.3, **rates)),
    networks=crr.default_networks((32, 32)),
    environment=testing.Reach,
    budget=tfacme.Budget(learner_steps=600),
    evaluation=tfacme.Evaluation(every=0),
    dataset=datasets.rlds(path),
  )
  run = tfacme.train(experiment, str(tmp_path / 'run'), progress=False)
  assert np.mean(returns) < -6
  assert run.evaluate(20).mean > -4
