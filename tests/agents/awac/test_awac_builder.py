"""AWAC's builder: what it refuses, what it puts together; and that it learns from recorded episodes."""

import pytest

from tests.agents import replayed
from tfacme import errors
from tfacme.agents import awac


def test_it_refuses_actions_without_bounds():
  replayed.check_refuses_actions_without_bounds(awac.AWACBuilder(), 'AWAC')


def test_it_refuses_networks_that_do_not_fit():
  made = awac.default_networks((8,))(replayed.spec())
  with pytest.raises(errors.UserError, match='needs at least one critic'):
    awac.AWACBuilder().checks_networks(awac.AWACNetworks(made.policy, []), replayed.spec())


def test_its_config_refuses_what_makes_no_sense():
  with pytest.raises(errors.UserError, match='temperature is 0.0, and has to be more than 0'):
    awac.AWACConfig(temperature=0.0)


def test_its_table_and_source():
  replayed.check_table_and_source(awac)


def test_builder_and_networks_can_be_pickled():
  replayed.check_pickles(awac)


def test_it_samples_and_an_evaluation_takes_the_mode():
  replayed.check_samples(awac.AWACBuilder(), lambda head: awac.AWACNetworks(head, []))


def test_it_learns_in_nests_of_actions():
  replayed.check_takes_nests_of_actions(awac)


def test_it_learns_to_reach_from_random_episodes(tmp_path):
  replayed.check_learns_to_reach(awac, tmp_path, temperature=0.3, policy_learning_rate=3e-3, critic_learning_rate=3e-3)
