"""CRR's builder: what it refuses, what it puts together; and that it learns from recorded episodes."""

import pytest

from tests.agents import choices, replayed
from tfacme import errors
from tfacme.agents import crr


def test_it_refuses_actions_without_bounds():
  replayed.check_refuses_actions_without_bounds(crr.CRRBuilder(), 'CRR')


def test_it_refuses_networks_that_do_not_fit():
  made = crr.default_networks((8,))(replayed.spec())
  with pytest.raises(errors.UserError, match='needs at least one critic'):
    crr.CRRBuilder().checks_networks(crr.CRRNetworks(made.policy, []), replayed.spec())


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
  replayed.check_table_and_source(crr)


def test_builder_and_networks_can_be_pickled():
  replayed.check_pickles(crr)


def test_it_samples_and_an_evaluation_takes_the_mode():
  replayed.check_samples(crr.CRRBuilder(), lambda head: crr.CRRNetworks(head, []))


def test_it_learns_in_nests_of_actions():
  replayed.check_takes_nests_of_actions(crr)


@pytest.mark.slow
def test_it_learns_to_catch_from_random_episodes(tmp_path):
  rates = {'policy_learning_rate': 3e-3, 'critic_learning_rate': 3e-3}
  choices.check_learns_to_catch(crr, tmp_path, temperature=0.1, target_update_period=20, **rates)


def test_it_learns_to_reach_from_random_episodes(tmp_path):
  replayed.check_learns_to_reach(crr, tmp_path, temperature=0.3, policy_learning_rate=3e-3, critic_learning_rate=3e-3)
