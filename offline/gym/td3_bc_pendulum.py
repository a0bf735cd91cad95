"""TD3+BC from episodes of the SAC of `programs/gym/sac.py` and as many random ones. From the folder of the repository:

python programs/gym/sac.py --workdir runs/sac-pendulum
tfacme record --run runs/sac-pendulum --episodes 50 --out recordings/mixed-pendulum
tfacme record --random --env gym:Pendulum-v1 --episodes 50 --out recordings/mixed-pendulum
python offline/gym/td3_bc_pendulum.py --seed 1
"""

import tfacme
from tfacme import cli, datasets, environments
from tfacme.agents import td3_bc


def experiment(seed: int = 0, steps: int = 20_000) -> tfacme.Experiment:
  """100 episodes of 200 steps, half of them random."""
  # Larger steps than on MuJoCo; with the paper's alpha, 2.5, values lead away from data of a half-trained policy.
  config = td3_bc.TD3BCConfig(alpha=1.0, policy_learning_rate=1e-3, critic_learning_rate=1e-3)
  return tfacme.Experiment(
    builder=td3_bc.TD3BCBuilder(config),
    networks=td3_bc.default_networks(hidden_sizes=(256, 256)),
    environment=environments.factory('gym:Pendulum-v1'),
    budget=tfacme.Budget(learner_steps=steps),
    evaluation=tfacme.Evaluation(episodes=20),
    dataset=datasets.rlds('recordings/mixed-pendulum'),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
