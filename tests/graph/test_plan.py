"""What is said of an experiment before it runs."""

import dataclasses
import logging

import pytest

import tfacme
from tfacme import environments, errors
from tfacme.agents import dqn, impala, ppo, r2d2
from tfacme.graph import plan


def _experiment(agent, config, steps, slots=2):
  builder = {'dqn': dqn.DQNBuilder, 'impala': impala.IMPALABuilder, 'ppo': ppo.PPOBuilder, 'r2d2': r2d2.R2D2Builder}
  networks = {'dqn': dqn, 'impala': impala, 'ppo': ppo, 'r2d2': r2d2}[agent].default_networks()
  return tfacme.Experiment(
    builder=builder[agent](config),
    networks=dataclasses.replace(networks, hidden_sizes=(4,)),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=steps),
    layout=tfacme.Layout(slots=slots),
  )


CONFIGS = {
  # For 30 transitions.
  'dqn': (dqn.DQNConfig(min_replay_size=30, batch_size=8), 30, 30),
  # For 4 sequences that start every 3 rows, each with a transition behind the burn-in of 4: two slots of 5 + 3 steps.
  'r2d2': (r2d2.R2D2Config(burn_in=4, trace_length=4, sequence_period=3, min_replay_size=4, batch_size=4), 16, 4),
  # For an unroll of 8 of each slot, whose 9 rows take 5 steps in episodes of one step each.
  'ppo': (ppo.PPOConfig(unroll_length=8, minibatches=1, batch_size=2), 10, 2),
  'impala': (impala.IMPALAConfig(unroll_length=8, batch_size=2), 10, 2),
}


@pytest.mark.parametrize('agent', CONFIGS)
def test_it_is_said_of_all_kinds_of_tables_that_nothing_will_be_learned(agent, caplog):
  config, enough, items = CONFIGS[agent]
  with caplog.at_level(logging.WARNING, 'tfacme'):
    plan.make_plan(_experiment(agent, config, enough))
  assert not caplog.messages
  with caplog.at_level(logging.WARNING, 'tfacme'):
    plan.make_plan(_experiment(agent, config, enough - 1))
  (message,) = caplog.messages
  assert message.startswith(f'Nothing will be learned: the learner waits for {items} items in the table ')
  assert message.endswith(f"', and the {enough - 1} steps of the run make at most {items - 1}.")


def test_frames_are_not_stacked_twice():
  experiment = dataclasses.replace(
    _experiment('dqn', dqn.DQNConfig(), 30), environment=environments.factory('bsuite:catch/0', frame_stack=2), stack=4
  )
  with pytest.raises(
    errors.UserError, match=r'twice, by the environment \(frame_stack 2\) and for the agent \(stack 4\)'
  ):
    plan.make_plan(experiment)
