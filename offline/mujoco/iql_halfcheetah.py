"""IQL from all that the SAC of `programs/mujoco/sac.py` experiences. From the folder of the repository:

python programs/mujoco/sac.py --steps 39000 --record recordings/halfcheetah
python offline/mujoco/iql_halfcheetah.py --seed 1
"""

import tfacme
from tfacme import cli, datasets, environments
from tfacme.agents import iql


def experiment(seed: int = 0, steps: int = 1_000_000) -> tfacme.Experiment:
  """HalfCheetah-v5 with the settings of Kostrikov et al. 2022 for locomotion."""
  # They multiply rewards by 1,000 / (the largest return - the least) of the data, here 1,634 and -453.
  config = iql.IQLConfig(reward_scale=0.48, policy_learning_rate=(3e-4, 0.0, steps))
  return tfacme.Experiment(
    builder=iql.IQLBuilder(config),
    networks=iql.default_networks(hidden_sizes=(256, 256)),
    environment=environments.factory('gym:HalfCheetah-v5'),
    budget=tfacme.Budget(learner_steps=steps),
    evaluation=tfacme.Evaluation(episodes=10),
    dataset=datasets.rlds('recordings/halfcheetah'),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
