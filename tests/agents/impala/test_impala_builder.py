"""IMPALA's builder: what it refuses, what it puts together, how it acts; and that it learns."""

import cloudpickle
import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

import tfacme
from tests.agents import contexts
from tfacme import environments, errors, networks, specs
from tfacme.agents import impala
from tfacme.replay import sources
from tfacme.replay.items import Items


def _spec(actions=dm_specs.DiscreteArray(3), observations=dm_specs.Array((4,), np.float32)):
  reward, discount = dm_specs.Array((), np.float32), dm_specs.BoundedArray((), np.float32, 0, 1)
  return specs.EnvironmentSpec(observations, actions, reward, discount)


def test_it_refuses_other_actions():
  with pytest.raises(errors.UserError, match=r'IMPALA .* needs continuous actions, .* has actions of shape \(2,\)'):
    impala.IMPALABuilder().check(_spec(dm_specs.BoundedArray((2,), np.int32, -1, 1)))


@pytest.mark.parametrize(
  'changes, says',
  [
    ({'clip_rho': 0.0}, 'clip_rho is 0.0, and has to be more than 0'),
    ({'queue_size': 8}, 'queue_size is 8, and has to be at least batch_size, 16'),
  ],
)
def test_its_config_refuses_what_makes_no_sense(changes, says):
  with pytest.raises(errors.UserError, match=says):
    impala.IMPALAConfig(**changes)


def test_it_refuses_networks_that_do_not_fit():
  other = impala.default_networks((8,))(_spec(dm_specs.DiscreteArray(4)))
  with pytest.raises(errors.UserError, match=r'network of IMPALA returns \(4,\) .* a distribution of 3 actions'):
    impala.IMPALABuilder().checks_networks(other, _spec())
  values = networks.Unrollable(networks.MLPTorso((8,)), networks.q_head(3))
  with pytest.raises(errors.UserError, match='returns a TensorSpec, and has to return a networks.Categorical'):
    impala.IMPALABuilder().checks_networks(impala.IMPALANetworks(values), _spec())


def test_its_table_and_source():
  builder = impala.IMPALABuilder(impala.IMPALAConfig(unroll_length=4, batch_size=6))
  (table,) = builder.tables(_spec())
  assert table.items == Items(length=5, period=4, once=['state'], end='continue')
  assert table.max_times_sampled == 1
  assert builder.source(_spec()) == sources.Sample('queue', 6)


@pytest.mark.parametrize('lstm_size', [None, 8])
@pytest.mark.parametrize(
  'observations',
  [
    dm_specs.Array((10, 10, 4), np.uint8),
    {'image': dm_specs.Array((10, 10, 4), np.uint8), 'speed': dm_specs.Array((), np.float32)},
  ],
)
def test_default_networks_take_images_and_dicts(lstm_size, observations):
  spec = _spec(observations=observations)
  made = impala.default_networks((8,), lstm_size=lstm_size, normalize_observations=True)(spec)
  impala.IMPALABuilder().checks_networks(made, spec)


def test_builder_and_networks_can_be_pickled():
  factory = impala.default_networks((4,), lstm_size=8)
  assert cloudpickle.loads(cloudpickle.dumps(factory)) == factory
  builder = cloudpickle.loads(cloudpickle.dumps(impala.IMPALABuilder()))
  builder.checks_networks(factory(_spec()), _spec())


def test_it_keeps_the_log_probability_and_the_state_before_the_action():
  spec = _spec()
  made = impala.default_networks((8,), lstm_size=5)(spec)
  policy = impala.IMPALABuilder().policy(made, spec, evaluation=False)
  state = tf.nest.map_structure(lambda x: x + 0.5, policy.initial_state(6))
  context = contexts.context(6)
  action, next_state, extras = policy(tf.ones([6, 4]), state, context)
  output, expected = made.policy_and_value(tf.ones([6, 4]), state)
  np.testing.assert_array_equal(extras['log_prob'], output.policy.log_prob(action))
  np.testing.assert_array_equal(extras['sample'], action)
  for found, wanted in zip(tf.nest.flatten([extras['state'], next_state]), tf.nest.flatten([state, expected])):
    np.testing.assert_array_equal(found, wanted)
  assert action.dtype == spec.actions.dtype
  evaluated, _, extras = impala.IMPALABuilder().policy(made, spec, True)(tf.ones([6, 4]), state, context)
  np.testing.assert_array_equal(evaluated, output.policy.mode())
  assert extras == {}


def _learned(environment, config, steps, seed=0, **networks_options):
  experiment = tfacme.Experiment(
    builder=impala.IMPALABuilder(config),
    networks=impala.default_networks((32,), **networks_options),
    environment=environments.factory(environment),
    budget=tfacme.Budget(actor_steps=steps),
    layout=tfacme.Layout(slots=8),
    evaluation=tfacme.Evaluation(every=0),
    seed=seed,
  )
  return tfacme.train(experiment, progress=False).evaluate(20).mean


def test_it_learns_catch():
  config = impala.IMPALAConfig(learning_rate=5e-3, batch_size=8, queue_size=8)
  assert _learned('bsuite:catch/0', config, 24_000) >= 0.7


@pytest.mark.slow
def test_it_learns_to_remember():
  config = impala.IMPALAConfig(learning_rate=2e-3, batch_size=8, queue_size=8)
  assert _learned('bsuite:memory_len/9', config, 20_000, lstm_size=32) >= 0.9
