"""A warm start: DQN, which has learned from recorded data, goes on with actors; and takes what it can from BC."""

import dataclasses

import tfacme
from tests.contract import environment
from tfacme import datasets
from tfacme.agents import bc, dqn

SIZES = (16,)


def offline(seed: int = 0) -> tfacme.Experiment:
  """DQN, which learns from data alone."""
  config = dqn.DQNConfig(n_step=3, discount=0.9, batch_size=32, learning_rate=0.01, target_update_period=20)
  return tfacme.Experiment(
    dqn.DQNBuilder(config),
    environment.TwoStates,
    dqn.default_networks(hidden_sizes=SIZES),
    tfacme.Budget(learner_steps=200),
    seed,
    dataset=datasets.memory(environment.record(100, mistakes=0.3)),
    evaluation=tfacme.Evaluation(every=0, episodes=2),
  )


def cloning(seed: int = 0) -> tfacme.Experiment:
  """BC, whose network has the same torso."""
  networks = bc.default_networks(hidden_sizes=SIZES)
  return dataclasses.replace(offline(seed), builder=bc.BCBuilder(), networks=networks)


def online(start: str, seed: int = 0, **changes) -> tfacme.Experiment:
  """A run with actors, too short for learning anything: whatever it can do, it began with."""
  experiment = dataclasses.replace(
    offline(seed),
    builder=dqn.DQNBuilder(dqn.DQNConfig(min_replay_size=1000, epsilon=0.0, discount=0.9)),
    budget=tfacme.Budget(actor_steps=100),
    dataset=None,
    start=start,
    evaluation=tfacme.Evaluation(every=0, episodes=10),
  )
  return dataclasses.replace(experiment, **changes)
