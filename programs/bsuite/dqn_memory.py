"""DQN, which has no memory, on the memory task of R2D2's page: `python programs/bsuite/dqn_memory.py --seed 1`."""

import tfacme
from tfacme import cli, environments
from tfacme.agents import dqn


def experiment(seed: int = 0) -> tfacme.Experiment:
  """Memory of length 10, where it can do no better than guess: a return of 0."""
  config = dqn.DQNConfig(epsilon=(1.0, 0.05, 5_000))
  return tfacme.Experiment(
    builder=dqn.DQNBuilder(config),
    networks=dqn.mlp_networks(hidden_sizes=(64, 64)),
    environment=environments.factory('bsuite:memory_len/9'),
    budget=tfacme.Budget(actor_steps=20_000),
    evaluation=tfacme.Evaluation(episodes=20),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
