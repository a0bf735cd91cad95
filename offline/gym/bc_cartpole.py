"""Behaviour cloning of the DQN of `programs/gym/dqn.py`, on CartPole. From the folder of the repository:

python programs/gym/dqn.py --workdir runs/dqn-cartpole
tfacme record --run runs/dqn-cartpole --episodes 50 --out recordings/dqn-cartpole
python offline/gym/bc_cartpole.py --seed 1
"""

import tfacme
from tfacme import cli, datasets, environments
from tfacme.agents import bc


def experiment(seed: int = 0, steps: int = 10_000) -> tfacme.Experiment:
  """50 episodes of 500 steps."""
  return tfacme.Experiment(
    builder=bc.BCBuilder(bc.BCConfig(learning_rate=(1e-3, 0.0, steps))),
    networks=bc.default_networks(hidden_sizes=(256, 256)),
    environment=environments.factory('gym:CartPole-v1'),
    budget=tfacme.Budget(learner_steps=steps),
    evaluation=tfacme.Evaluation(episodes=20),
    dataset=datasets.rlds('recordings/dqn-cartpole'),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
