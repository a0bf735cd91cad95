"""BC from all that the SAC of `programs/dm_control/sac.py` experiences. From the folder of the repository:

python programs/dm_control/sac.py --env.action-repeat 4 --record recordings/swingup
python offline/dm_control/bc_swingup.py --seed 1
"""

import tfacme
from tfacme import cli, datasets, environments
from tfacme.agents import bc


def experiment(seed: int = 0, steps: int = 10_000) -> tfacme.Experiment:
  """Swinging a pole up: each step is worth little beside the 1,000 of an episode."""
  return tfacme.Experiment(
    builder=bc.BCBuilder(),
    networks=bc.default_networks(hidden_sizes=(256, 256)),
    environment=environments.factory('dm_control:cartpole:swingup', action_repeat=4),
    budget=tfacme.Budget(learner_steps=steps),
    evaluation=tfacme.Evaluation(episodes=10),
    dataset=datasets.rlds('recordings/swingup'),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
