"""DQN on bsuite's catch: `python programs/bsuite/dqn.py --seed 1`."""

import tfacme
from tfacme import cli, environments
from tfacme.agents import dqn


def experiment(seed: int = 0) -> tfacme.Experiment:
  """Catch, whose evaluation returns end at 1.0, every ball caught, with the agent's default config."""
  return tfacme.Experiment(
    builder=dqn.DQNBuilder(dqn.DQNConfig()),
    networks=dqn.mlp_networks(hidden_sizes=(64, 64)),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=30_000),
    evaluation=tfacme.Evaluation(episodes=20),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
