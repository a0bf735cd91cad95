"""R2D2's builder: what it refuses, what it puts together, how it acts; and that it remembers."""

import dataclasses

import cloudpickle
import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

import tfacme
from tests.agents import contexts
from tfacme import core, environments, errors, loggers, networks, specs
from tfacme.agents import r2d2
from tfacme.losses import q_learning
from tfacme.replay import sources, tables
from tfacme.replay.items import Items


def _spec(actions=dm_specs.DiscreteArray(3), observations=dm_specs.Array((4,), np.float32)):
  reward, discount = dm_specs.Array((), np.float32), dm_specs.BoundedArray((), np.float32, 0, 1)
  return specs.EnvironmentSpec(observations, actions, reward, discount)


def test_it_refuses_other_actions():
  with pytest.raises(errors.UserError, match=r'R2D2 needs a single discrete action, .* has actions of shape \(2,\)'):
    r2d2.R2D2Builder().check(_spec(dm_specs.BoundedArray((2,), np.float32, -1, 1)))


@pytest.mark.parametrize(
  'changes, says',
  [
    ({'max_priority_weight': 1.5}, 'max_priority_weight is 1.5, and has to be at most 1'),
    ({'burn_in': -1}, 'burn_in is -1, and has to be at least 0'),
    ({'max_replay_size': 10}, 'max_replay_size is 10, and has to be at least min_replay_size, 100'),
  ],
)
def test_its_config_refuses_what_makes_no_sense(changes, says):
  with pytest.raises(errors.UserError, match=says):
    r2d2.R2D2Config(**changes)


def test_it_refuses_networks_that_do_not_fit():
  other = r2d2.default_networks((8,), lstm_size=8)(_spec(dm_specs.DiscreteArray(4)))
  with pytest.raises(errors.UserError, match=r'Q network of R2D2 returns \(4,\) .* has to return 3 values'):
    r2d2.R2D2Builder().checks_networks(other, _spec())
  stateless = networks.Unrollable(networks.MLPTorso((8,)), networks.q_head(3))
  with pytest.raises(errors.UserError, match='R2D2 needs a network with a recurrent state, and this one has none'):
    r2d2.R2D2Builder().checks_networks(r2d2.R2D2Networks(stateless), _spec())
  with pytest.raises(errors.UserError, match='R2D2 needs a network with a recurrent state, and this one has none'):
    r2d2.R2D2Builder().checks_networks(r2d2.R2D2Networks(networks.q_head(3)), _spec())


def test_its_table_and_source():
  builder = r2d2.R2D2Builder(r2d2.R2D2Config(burn_in=3, trace_length=6, sequence_period=4, batch_size=8))
  (table,) = builder.tables(_spec())
  assert table.items == Items(length=10, period=4, once=['state'], end='pad', burn_in=3)
  assert table.sampler == tables.Prioritized(0.9)
  assert builder.source(_spec()) == sources.Sample('replay', 8)
  (table,) = r2d2.R2D2Builder(r2d2.R2D2Config(priority_exponent=0.0)).tables(_spec())
  assert table.sampler == tables.Uniform()


@pytest.mark.parametrize(
  'observations',
  [
    dm_specs.Array((10, 10, 4), np.uint8),
    {'image': dm_specs.Array((10, 10, 4), np.uint8), 'speed': dm_specs.Array((), np.float32)},
  ],
)
def test_default_networks_take_images_and_dicts(observations):
  spec = _spec(observations=observations)
  r2d2.R2D2Builder().checks_networks(r2d2.default_networks((8,), lstm_size=8, normalize_observations=True)(spec), spec)


def test_builder_and_networks_can_be_pickled():
  factory = r2d2.default_networks((4,), lstm_size=8)
  assert cloudpickle.loads(cloudpickle.dumps(factory)) == factory
  builder = cloudpickle.loads(cloudpickle.dumps(r2d2.R2D2Builder()))
  builder.checks_networks(factory(_spec()), _spec())


def test_it_explores_on_a_ladder_and_keeps_the_state_before_the_action():
  spec, slots = _spec(), 1000
  made = r2d2.default_networks((8,), lstm_size=5)(spec)
  policy = r2d2.R2D2Builder(r2d2.R2D2Config(epsilon=0.4)).policy(made, spec, evaluation=False)
  state = tf.nest.map_structure(lambda x: x + 0.5, policy.initial_state(slots))
  context = contexts.context(slots)
  action, _, extras = policy(tf.ones([slots, 4]), state, context)
  q, _ = made.q(tf.ones([slots, 4]), state)
  random = np.not_equal(action, np.argmax(q, axis=1))
  assert 0.1 < random[:100].mean() < 0.4 and random[-500:].mean() < 0.02  # a third of random actions is the best one
  for found, wanted in zip(tf.nest.flatten(extras['state']), tf.nest.flatten(state)):
    np.testing.assert_array_equal(found, wanted)
  greedy, _, extras = r2d2.R2D2Builder().policy(made, spec, True)(tf.ones([slots, 4]), state, context)
  np.testing.assert_array_equal(greedy, np.argmax(q, axis=1))
  assert extras == {}


def _always_wrong(q, target_q, sequence):
  """A variant of which every row has a loss of 2 and an error of 3, also those that start no transition."""
  assert target_q.shape == q.shape and sequence.targets(q[..., 0]).shape == sequence.action.shape
  return q_learning.Losses(2.0 + 0.0 * q[:, :-1, 0], 3.0 * tf.ones_like(q[:, :-1, 0]), {'mine': tf.constant(7.0)})


def test_a_variant_of_q_learning_is_a_loss_whose_masked_rows_do_not_count():
  config = r2d2.R2D2Config(trace_length=3, priority_offset=0.5, importance_exponent=0.0)
  update = r2d2.R2D2Builder(config, loss=_always_wrong).update(
    r2d2.default_networks((4,), lstm_size=4)(_spec()), _spec()
  )
  mask = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]], np.float32)
  zeros = np.zeros((3, 4), np.float32)
  state = tf.nest.map_structure(lambda x: np.zeros((3, 4, *x.shape[1:]), np.float32), update._online.initial_state(3))
  steps = core.Step(np.zeros((3, 4, 4), np.float32), zeros.astype(np.int32), zeros, zeros, zeros > 0, mask < 1)
  ones = np.ones(3, np.float32)
  batch = core.Batch(steps._replace(extras={'state': state}), mask, core.Info(ones, ones, ones, ones, ones))
  output = update(tf.nest.map_structure(tf.constant, batch))
  assert output.metrics['mine'] == 7.0 and 'q' not in output.metrics
  np.testing.assert_allclose(output.metrics['loss'], (3 * 2.0 + 2.0 + 0.0) / 3)
  np.testing.assert_allclose(output.metrics['td_error'], 3.0)
  np.testing.assert_allclose(output.priorities, [3.5, 3.5, 0.0])  # Nothing of the last one can be learned from.


def _learned(burn_in, seed=0, steps=3_000):
  config = r2d2.R2D2Config(
    burn_in=burn_in, trace_length=8, sequence_period=4, epsilon=(1.0, 0.05, 1_000), epsilon_ladder=0.0
  )
  experiment = tfacme.Experiment(
    builder=r2d2.R2D2Builder(config),
    networks=r2d2.default_networks((32,), lstm_size=32),
    environment=environments.factory('bsuite:memory_len/4'),
    budget=tfacme.Budget(actor_steps=steps),
    evaluation=tfacme.Evaluation(every=0),
    seed=seed,
  )
  return tfacme.train(experiment, progress=False).evaluate(50).mean


@pytest.mark.parametrize('burn_in', [0, pytest.param(2, marks=pytest.mark.slow)])
def test_it_remembers(burn_in):
  assert _learned(burn_in) >= 0.7


def _learner_steps(folder, **changes):
  """Of a run on a bandit, whose episodes have one step."""
  config = r2d2.R2D2Config(trace_length=8, sequence_period=10, min_replay_size=5, batch_size=4, **changes)
  experiment = tfacme.Experiment(
    builder=r2d2.R2D2Builder(dataclasses.replace(config, samples_per_insert=4.0)),
    networks=r2d2.default_networks((4,), lstm_size=4),
    environment=environments.factory('bsuite:bandit/0'),
    budget=tfacme.Budget(actor_steps=200),
    evaluation=tfacme.Evaluation(every=0, episodes=1),
  )
  tfacme.train(experiment, str(folder), progress=False)
  return int(loggers.read(str(folder / 'logs' / 'evaluator.csv'))[-1]['learner_steps'])


@pytest.mark.slow
def test_it_learns_for_each_sequence_and_short_episodes_may_share_one(tmp_path):
  assert abs(_learner_steps(tmp_path / 'pad') - 200) <= 10
  assert abs(_learner_steps(tmp_path / 'across', across_episodes=True) - 40) <= 10  # two rows an episode
  assert _learner_steps(tmp_path / 'burn-in', burn_in=1) == 0  # Nothing lies behind it.
