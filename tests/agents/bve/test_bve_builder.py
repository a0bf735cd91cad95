"""BVE: what differs from DQN in its builder, and that it learns from recorded episodes."""

import cloudpickle
import pytest

from tests.agents import choices
from tests.parity import continuous, discrete
from tfacme import errors
from tfacme.agents import bve
from tfacme.losses import q_learning
from tfacme.replay import tables
from tfacme.replay.items import Items


def test_what_does_not_fit_is_said_under_its_name():
  with pytest.raises(errors.UserError, match='^BVE needs a single discrete action'):
    bve.BVEBuilder().check(continuous.SPEC)
  with pytest.raises(errors.UserError, match='huber_delta is 0.0, and has to be more than 0'):
    bve.BVEConfig(huber_delta=0.0)
  with pytest.raises(errors.UserError, match='Set one of target_update_period and target_update_rate'):
    bve.BVEConfig(target_update_rate=0.1)


def test_items_are_sampled_uniformly():
  (table,) = bve.BVEBuilder(bve.BVEConfig(n_step=2)).tables(discrete.SPEC)
  assert (table.items, table.sampler) == (Items(length=3, observations='ends'), tables.Uniform())


def test_builder_and_networks_can_be_pickled():
  builder, factory = bve.BVEBuilder(bve.BVEConfig(huber_delta=2.0)), bve.default_networks((4,))
  builder, factory = cloudpickle.loads(cloudpickle.dumps((builder, factory)))
  builder.checks_networks(factory(discrete.SPEC), discrete.SPEC)


def test_the_loss_of_its_config_or_the_one_that_it_is_given():
  assert bve.BVEBuilder(bve.BVEConfig(huber_delta=2.0)).q_loss() == q_learning.Sarsa(2.0)
  own = q_learning.DoubleQLearning()
  assert bve.BVEBuilder(loss=own).q_loss() is own


@pytest.mark.slow
def test_it_learns_to_catch_from_random_episodes(tmp_path):
  choices.check_learns_to_catch(bve, tmp_path, learning_rate=3e-3, target_update_period=20)
