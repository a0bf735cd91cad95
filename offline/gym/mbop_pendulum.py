"""MBOP from episodes of the SAC of `programs/gym/sac.py` and as many random ones. From the folder of the repository:

python programs/gym/sac.py --workdir runs/sac-pendulum
tfacme record --run runs/sac-pendulum --episodes 50 --out recordings/mixed-pendulum
tfacme record --random --env gym:Pendulum-v1 --episodes 50 --out recordings/mixed-pendulum
python offline/gym/mbop_pendulum.py --seed 1
"""

import tfacme
from tfacme import cli, datasets, environments
from tfacme.agents import mbop


def experiment(seed: int = 0, steps: int = 5_000) -> tfacme.Experiment:
  """100 episodes of 200 steps; for a single number fewer trajectories do, of which the better ones count for more."""
  config = mbop.MBOPConfig(learning_rate=(1e-3, 0.0, steps), trajectories=100, kappa=2.0)
  return tfacme.Experiment(
    builder=mbop.MBOPBuilder(config),
    networks=mbop.default_networks(),
    environment=environments.factory('gym:Pendulum-v1'),
    budget=tfacme.Budget(learner_steps=steps),
    evaluation=tfacme.Evaluation(episodes=20),
    dataset=datasets.rlds('recordings/mixed-pendulum'),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
