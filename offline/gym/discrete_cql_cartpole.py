"""Discrete CQL from episodes of the DQN of `programs/gym/dqn.py`, on CartPole. From the folder of the repository:

python programs/gym/dqn.py --workdir runs/dqn-cartpole
tfacme record --run runs/dqn-cartpole --episodes 50 --out recordings/dqn-cartpole
python offline/gym/discrete_cql_cartpole.py --seed 1
"""

import math

import tfacme
from tfacme import cli, datasets, environments
from tfacme.agents import discrete_cql


def experiment(seed: int = 0, steps: int = 20_000) -> tfacme.Experiment:
  """50 episodes of 500 steps, which are truncated there, and so bootstrap."""
  config = discrete_cql.DiscreteCQLConfig(
    learning_rate=(1e-3, 0.0, steps),
    batch_size=256,
    # As in `programs/gym/dqn.py`: values come near 100.
    huber_delta=math.inf,
    max_gradient_norm=10.0,
    target_update_period=None,
    target_update_rate=0.005,
  )
  return tfacme.Experiment(
    builder=discrete_cql.DiscreteCQLBuilder(config),
    networks=discrete_cql.default_networks(hidden_sizes=(64, 64)),
    environment=environments.factory('gym:CartPole-v1'),
    budget=tfacme.Budget(learner_steps=steps),
    evaluation=tfacme.Evaluation(episodes=20),
    dataset=datasets.rlds('recordings/dqn-cartpole'),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
