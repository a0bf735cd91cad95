"""R-BVE from a DQN half of whose actions are random, on CartPole. From the folder of the repository:

python programs/gym/dqn.py --config.evaluation-epsilon 0.5 --workdir runs/noisy-cartpole
tfacme record --run runs/noisy-cartpole --episodes 100 --out recordings/noisy-cartpole
python offline/gym/bve_cartpole.py --seed 1
"""

import math

import tfacme
from tfacme import cli, datasets, environments
from tfacme.agents import bve


def experiment(seed: int = 0, steps: int = 20_000) -> tfacme.Experiment:
  """100 episodes; the ranking has it act by the data where these hold one action, as those of a good policy do."""
  config = bve.BVEConfig(
    learning_rate=(1e-3, 0.0, steps),
    ranking_weight=0.1,
    ranking_margin=1.0,  # One step's reward.
    # As in `programs/gym/dqn.py`: values come near 100.
    huber_delta=math.inf,
    max_gradient_norm=10.0,
    target_update_period=200,
  )
  return tfacme.Experiment(
    builder=bve.BVEBuilder(config),
    networks=bve.default_networks(hidden_sizes=(64, 64)),
    environment=environments.factory('gym:CartPole-v1'),
    budget=tfacme.Budget(learner_steps=steps),
    evaluation=tfacme.Evaluation(episodes=20),
    dataset=datasets.rlds('recordings/noisy-cartpole'),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
