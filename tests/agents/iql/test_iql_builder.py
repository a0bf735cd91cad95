"""IQL's builder: what it refuses, what it puts together, how it acts; and that it learns from recorded episodes."""

import dataclasses

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

from tests.agents import replayed
from tfacme import core, errors, networks
from tfacme.agents import iql


def test_it_refuses_actions_without_bounds():
  replayed.check_refuses_actions_without_bounds(iql.IQLBuilder(), 'IQL')


def test_it_refuses_networks_that_do_not_fit():
  made = iql.default_networks((8,))(replayed.spec())
  other = networks.PolicyAndCritics(made.policy, made.critics)
  with pytest.raises(errors.UserError, match='needs networks with the parts of IQLNetworks, .* has no value'):
    iql.IQLBuilder().checks_networks(other, replayed.spec())
  with pytest.raises(errors.UserError, match=r'value network of IQL returns \(3,\) for each observation'):
    iql.IQLBuilder().checks_networks(dataclasses.replace(made, value=snt.Linear(3)), replayed.spec())
  with pytest.raises(errors.UserError, match='returns a TensorSpec, and has to return a networks.Gaussian'):
    iql.IQLBuilder().checks_networks(dataclasses.replace(made, policy=snt.Linear(2)), replayed.spec())


@pytest.mark.parametrize(
  'changes, says',
  [
    ({'expectile': 1.0}, 'expectile is 1.0, and has to be less than 1'),
    ({'inverse_temperature': -1.0}, 'inverse_temperature is -1.0, and has to be at least 0'),
    ({'max_weight': 0.0}, 'max_weight is 0.0, and has to be more than 0'),
  ],
)
def test_its_config_refuses_what_makes_no_sense(changes, says):
  with pytest.raises(errors.UserError, match=says):
    iql.IQLConfig(**changes)


def test_its_table_and_source():
  replayed.check_table_and_source(iql)


def test_builder_and_networks_can_be_pickled():
  replayed.check_pickles(iql)


def test_it_samples_and_an_evaluation_takes_the_mode():
  replayed.check_samples(iql.IQLBuilder(), lambda head: iql.IQLNetworks(head, [], None))


def test_it_learns_of_nested_actions_which_are_better():
  # The arm's first number and the tool say what is paid, whatever is observed.
  config = iql.IQLConfig(inverse_temperature=10.0, target_update_rate=0.1, **dict.fromkeys(_RATES, 1e-2))
  builder = iql.IQLBuilder(config)
  with networks.seeded(0):
    made = iql.default_networks((16,))(replayed.spec(replayed.NEST))
  builder.checks_networks(made, replayed.spec(replayed.NEST))
  update, rng = builder.update(made, replayed.spec(replayed.NEST)), np.random.RandomState(0)
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
  replayed.check_learns_to_reach(iql, tmp_path, **dict.fromkeys(_RATES, 3e-3))
