"""CQL's builder: what differs from SAC's; what its options change; and that it learns from recorded episodes."""

import pickle

import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tests.agents import contexts, replayed
from tests.parity import references
from tfacme import core, errors, networks
from tfacme.agents import cql, sac

_NEST = {'arm': replayed.CONTINUOUS, 'tool': dm_specs.BoundedArray((), np.float32, 0.0, 1.0)}


def test_what_does_not_fit_is_said_under_its_name():
  with pytest.raises(errors.UserError, match='^CQL needs continuous actions'):
    cql.CQLBuilder().check(replayed.spec(dm_specs.DiscreteArray(3)))
  with pytest.raises(errors.UserError, match='action_samples is 0, and has to be at least 1'):
    cql.CQLConfig(action_samples=0)


def test_its_table_and_source():
  replayed.check_table_and_source(cql)


def test_builder_and_networks_can_be_pickled():
  replayed.check_pickles(cql)


def test_it_acts_by_its_policy_from_the_first_step_on():
  made = cql.CQLNetworks(lambda observation: networks.TanhGaussian(*[tf.fill([9, 2], x) for x in (0.5, -9.0)]), [])
  policy = cql.CQLBuilder().policy(made, replayed.spec(), False)
  action, _, _ = policy(tf.zeros([9, 4]), (), contexts.context(9))
  np.testing.assert_allclose(action, 2 * np.tanh(0.5), atol=1e-2)


def test_its_variables_are_where_sac_looks_for_them():
  """So that SAC goes on from what it has learned (`Experiment.start`)."""
  made = [agent.default_networks((8,))(replayed.spec()) for agent in (cql, sac)]
  ours, theirs = ([(v.name, v.shape) for m in (one.policy, *one.critics) for v in m.variables] for one in made)
  assert ours == theirs


def test_only_one_that_is_calibrated_adds_returns():
  assert cql.CQLBuilder().relabel(replayed.spec()) is None
  calibrated = cql.CQLBuilder(cql.CQLConfig(calibrated=True, discount=0.5))
  for discount, returns in ((0.0, [2.0, 2.0, 0.0]), (1.0, [-np.inf] * 3)):  # It was terminated, or truncated.
    discounts = np.array([1, discount, 1], np.float32)
    rows = [
      core.Step(np.zeros(4), np.zeros(2), np.float32(r), d, False, r == 0.0) for r, d in zip((1, 2, 0), discounts)
    ]
    relabeller = calibrated.relabel(replayed.spec()).make()
    given = [row for step in rows for row in relabeller(step)]
    assert [float(row.extras['return_to_go']) for row in given] == returns


@pytest.mark.parametrize('terminated, warnings', [(None, 1), (0, 0), (99, 0), (100, 1)])
def test_that_nothing_is_calibrated_by_truncated_episodes_is_said_once(caplog, terminated, warnings):
  """Among 300 episodes of two slots, one of which may be terminated."""
  builder = cql.CQLBuilder(cql.CQLConfig(calibrated=True))
  builder = pickle.loads(pickle.dumps(builder))
  slots = [builder.relabel(replayed.spec()).make() for _ in range(2)]
  zeros = np.zeros(2, np.float32)
  for number in range(300):
    discount = np.float32([number != terminated, 0])
    slots[number % 2].rewrite(core.Step(zeros, zeros, zeros, discount, zeros == 0, zeros == 1))
  said = [record for record in caplog.records if 'The first 100 episodes all were truncated' in record.message]
  assert len(said) == warnings and all(record.name == 'tfacme' for record in said)


def _learned(steps, **config):
  """Networks that have learned from actions around 0.5, all of whose returns are 0; and the last metrics."""
  rates = dict.fromkeys(('policy_learning_rate', 'critic_learning_rate'), 1e-2)
  spec = replayed.spec(_NEST)
  builder = cql.CQLBuilder(cql.CQLConfig(action_samples=4, **rates, **config))
  with networks.seeded(0):
    made = cql.default_networks((16,))(spec)
  builder.checks_networks(made, spec)
  rng, zeros = np.random.RandomState(0), np.zeros((64, 2), np.float32)
  action = {'arm': rng.normal(1.0, 0.2, (64, 2, 2)), 'tool': rng.normal(0.75, 0.05, (64, 2))}
  action = {name: part.astype(np.float32) for name, part in action.items()}
  observation, extras = np.zeros((64, 2, 4), np.float32), {'return_to_go': zeros}
  steps_ = core.Step(observation, action, zeros, zeros, zeros > 0, zeros > 0, extras)
  batch = tf.nest.map_structure(tf.constant, core.Batch(steps_, zeros + 1, ()))
  learn = references.compiled(builder.update(made, spec))
  metrics = [learn(batch).metrics for _ in range(steps)][-1]
  return made, {name: float(value) for name, value in metrics.items()}


def _value(made, arm, tool):
  """Of an action between -1 and 1, by the first critic."""
  action = {'arm': tf.constant([[arm, arm]]), 'tool': tf.constant([[tool]])}
  return float(made.critics[0](tf.zeros([1, 4]), action)[0])


def test_it_holds_values_low_where_there_are_no_data():
  # All returns are 0, so that SAC would have no value elsewhere than there.
  made, metrics = _learned(100, conservative_weight=1.0)
  assert max(_value(made, -0.8, -0.8), _value(made, -0.8, 0.5)) < _value(made, 0.5, 0.5) - 1.0
  # A gap of values that are all alike would be that of the volume, 2 x 2 x 2.
  assert metrics['gap'] < np.log(8.0) - 1.0


@pytest.mark.slow
def test_it_clones_first():
  made, _ = _learned(100, bc_steps=100, temperature=0.0)
  mode = made.policy(tf.zeros([1, 4])).mode()
  np.testing.assert_allclose(mode['arm'], 0.5, atol=0.1)
  np.testing.assert_allclose(mode['tool'], 0.5, atol=0.1)


@pytest.mark.slow
def test_it_learns_to_reach_from_random_episodes(tmp_path):
  rates = dict.fromkeys(('policy_learning_rate', 'critic_learning_rate'), 3e-3)
  replayed.check_learns_to_reach(cql, tmp_path, action_samples=4, conservative_weight=0.1, **rates)
