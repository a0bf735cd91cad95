"""TD3+BC from all that the SAC of `programs/dm_control/sac.py` experiences. From the folder of the repository:

python programs/dm_control/sac.py --env.action-repeat 4 --record recordings/swingup
python offline/dm_control/td3_bc_swingup.py --seed 1
"""

import tfacme
from tfacme import cli, datasets, environments
from tfacme.agents import td3_bc


def experiment(seed: int = 0, steps: int = 10_000) -> tfacme.Experiment:
  """Swinging a pole up; a pole that stands falls by a small change of the policy, so its steps end at none."""
  config = td3_bc.TD3BCConfig(policy_learning_rate=(1e-3, 0.0, '100%'), critic_learning_rate=1e-3)
  return tfacme.Experiment(
    builder=td3_bc.TD3BCBuilder(config),
    networks=td3_bc.default_networks(hidden_sizes=(256, 256)),
    environment=environments.factory('dm_control:cartpole:swingup', action_repeat=4),
    budget=tfacme.Budget(learner_steps=steps),
    evaluation=tfacme.Evaluation(episodes=10),
    dataset=datasets.rlds('recordings/swingup'),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
