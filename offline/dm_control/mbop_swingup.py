"""MBOP from all that the SAC of `programs/dm_control/sac.py` experiences. From the folder of the repository:

python programs/dm_control/sac.py --env.action-repeat 4 --record recordings/swingup
python offline/dm_control/mbop_swingup.py --seed 1
"""

import tfacme
from tfacme import cli, datasets, environments
from tfacme.agents import mbop


def experiment(seed: int = 0, steps: int = 5_000) -> tfacme.Experiment:
  """Swinging a pole up, mostly by the hardest pushes there are, which more noise would make weaker on average."""
  config = mbop.MBOPConfig(learning_rate=(1e-3, 0.0, steps), trajectories=100, sigma=0.15, beta=0.0, kappa=1.0)
  return tfacme.Experiment(
    builder=mbop.MBOPBuilder(config),
    networks=mbop.default_networks(),
    environment=environments.factory('dm_control:cartpole:swingup', action_repeat=4),
    budget=tfacme.Budget(learner_steps=steps),
    evaluation=tfacme.Evaluation(episodes=10),
    dataset=datasets.rlds('recordings/swingup'),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
