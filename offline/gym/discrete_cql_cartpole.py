"""Discrete CQL from episodes of the DQN of `programs/gym/dqn.py`, on CartPole. From the folder of the repository:

python programs/gym/dqn.py --workdir runs/dqn-cartpole
tfacme record --run runs/dqn-cartpole --episodes 50 --out recordings/dqn-cartpole
python offline/gym/discrete_cql_cartpole.py --seed 1
"""

import tfacme
from tfacme import cli, datasets, environments
from tfacme.agents import discrete_cql


def experiment(seed: int = 0, steps: int = 10_000) -> tfacme.Experiment:
  """50 episodes of 500 steps, which are truncated there, and so bootstrap."""
  return tfacme.Experiment(
    builder=discrete_cql.DiscreteCQLBuilder(discrete_cql.DiscreteCQLConfig(learning_rate=(1e-3, 0.0, steps))),
    networks=discrete_cql.default_networks(hidden_sizes=(64, 64)),
    environment=environments.factory('gym:CartPole-v1'),
    budget=tfacme.Budget(learner_steps=steps),
    evaluation=tfacme.Evaluation(episodes=20),
    dataset=datasets.rlds('recordings/dqn-cartpole'),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
