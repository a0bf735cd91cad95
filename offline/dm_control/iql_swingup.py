"""IQL from all that the SAC of `programs/dm_control/sac.py` experiences. From the folder of the repository:

python programs/dm_control/sac.py --env.action-repeat 4 --record recordings/swingup
python offline/dm_control/iql_swingup.py --seed 1
"""

import tfacme
from tfacme import cli, datasets, environments
from tfacme.agents import iql


def experiment(seed: int = 0, steps: int = 10_000) -> tfacme.Experiment:
  """Swinging a pole up; where actions count by more than this temperature, policies of good data fall behind them."""
  config = iql.IQLConfig(
    reward_scale=0.25,
    inverse_temperature=3.0,
    policy_learning_rate=(1e-3, 0.0, steps),
    value_learning_rate=1e-3,
    critic_learning_rate=1e-3,
  )
  return tfacme.Experiment(
    builder=iql.IQLBuilder(config),
    networks=iql.default_networks(hidden_sizes=(256, 256)),
    environment=environments.factory('dm_control:cartpole:swingup', action_repeat=4),
    budget=tfacme.Budget(learner_steps=steps),
    evaluation=tfacme.Evaluation(episodes=10),
    dataset=datasets.rlds('recordings/swingup'),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
