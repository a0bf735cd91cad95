"""BVE: what differs from DQN in its builder, and that it learns from recorded episodes."""

import cloudpickle
import numpy as np
import pytest

from tests.agents import choices
from tests.parity import continuous, discrete
from tfacme import core, errors
from tfacme.agents import bve
from tfacme.losses import q_learning, ranking
from tfacme.replay import tables
from tfacme.replay.items import Items


def test_what_does_not_fit_is_said_under_its_name():
  with pytest.raises(errors.UserError, match='^BVE needs a single discrete action'):
    bve.BVEBuilder().check(continuous.SPEC)
  with pytest.raises(errors.UserError, match='huber_delta is 0.0, and has to be more than 0'):
    bve.BVEConfig(huber_delta=0.0)
  with pytest.raises(errors.UserError, match='ranking_weight is -1, and has to be at least 0'):
    bve.BVEConfig(ranking_weight=-1)
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


def test_only_one_that_ranks_adds_the_ranking_and_the_returns():
  assert bve.BVEBuilder().relabel(discrete.SPEC) is None
  config = bve.BVEConfig(ranking_weight=2.0, ranking_margin=0.3, discount=0.5)
  for loss in (None, q_learning.DoubleQLearning()):
    ranked = bve.BVEBuilder(config, loss=loss)
    assert ranked.q_loss() == ranking.Ranked(loss or q_learning.Sarsa(1.0), 2.0, 0.3)
  rows = [core.Step(0, 0, np.float32(r), np.float32(1), False, r == 0.0) for r in (1.0, 2.0, 0.0)]
  relabeller = ranked.relabel(discrete.SPEC).make()
  given = [row for step in rows for row in relabeller(step)]
  assert [float(row.extras['return_to_go']) for row in given] == [2.0, 2.0, 0.0]


@pytest.mark.slow
@pytest.mark.parametrize('ranking_weight', [0.0, 0.1])
def test_it_learns_to_catch_from_random_episodes(ranking_weight, tmp_path):
  rates = {'learning_rate': 3e-3, 'target_update_period': 20}
  choices.check_learns_to_catch(bve, tmp_path, ranking_weight=ranking_weight, **rates)
