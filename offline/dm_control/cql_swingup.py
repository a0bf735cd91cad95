"""CQL from all that the SAC of `programs/dm_control/sac.py` experiences. From the folder of the repository:

python programs/dm_control/sac.py --env.action-repeat 4 --record recordings/swingup
python offline/dm_control/cql_swingup.py --seed 1
"""

import tfacme
from tfacme import cli, datasets, environments
from tfacme.agents import cql


def experiment(seed: int = 0, steps: int = 20_000) -> tfacme.Experiment:
  """Swinging a pole up, with rewards that are brought to 1; without layer normalization it fails on expert data."""
  config = cql.CQLConfig(
    reward_scale=0.25,
    batch_size=128,
    conservative_weight=1.0,
    action_samples=4,
    policy_learning_rate=(1e-3, 0.0, steps),
    critic_learning_rate=(1e-3, 1e-5, steps),
  )
  return tfacme.Experiment(
    builder=cql.CQLBuilder(config),
    networks=cql.default_networks(hidden_sizes=(128, 128), layer_norm=True),
    environment=environments.factory('dm_control:cartpole:swingup', action_repeat=4),
    budget=tfacme.Budget(learner_steps=steps),
    evaluation=tfacme.Evaluation(episodes=10),
    dataset=datasets.rlds('recordings/swingup'),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
