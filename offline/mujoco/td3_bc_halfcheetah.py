"""TD3+BC from all that the SAC of `programs/mujoco/sac.py` experiences. From the folder of the repository:

python programs/mujoco/sac.py --steps 39000 --record recordings/halfcheetah
python offline/mujoco/td3_bc_halfcheetah.py --seed 1
"""

import tfacme
from tfacme import cli, datasets, environments
from tfacme.agents import td3_bc


def experiment(seed: int = 0, steps: int = 1_000_000) -> tfacme.Experiment:
  """HalfCheetah-v5 with the settings of Fujimoto & Gu 2021, which are the defaults."""
  return tfacme.Experiment(
    builder=td3_bc.TD3BCBuilder(),
    networks=td3_bc.default_networks(hidden_sizes=(256, 256)),
    environment=environments.factory('gym:HalfCheetah-v5'),
    budget=tfacme.Budget(learner_steps=steps),
    evaluation=tfacme.Evaluation(episodes=10),
    dataset=datasets.rlds('recordings/halfcheetah'),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
