"""AWAC from episodes of the SAC of `programs/gym/sac.py`, on Pendulum. From the folder of the repository:

python programs/gym/sac.py --workdir runs/sac-pendulum
tfacme record --run runs/sac-pendulum --episodes 50 --out recordings/sac-pendulum
python offline/gym/awac_pendulum.py --seed 1
"""

import tfacme
from tfacme import cli, datasets, environments
from tfacme.agents import awac


def experiment(seed: int = 0, steps: int = 20_000) -> tfacme.Experiment:
  """50 episodes of 200 steps, whose rewards are of some 16 at the most."""
  config = awac.AWACConfig(
    reward_scale=0.1,
    policy_learning_rate=(1e-3, 0.0, steps),
    critic_learning_rate=1e-3,
  )
  return tfacme.Experiment(
    builder=awac.AWACBuilder(config),
    networks=awac.default_networks(hidden_sizes=(64, 64)),
    environment=environments.factory('gym:Pendulum-v1'),
    budget=tfacme.Budget(learner_steps=steps),
    evaluation=tfacme.Evaluation(episodes=20),
    dataset=datasets.rlds('recordings/sac-pendulum'),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
