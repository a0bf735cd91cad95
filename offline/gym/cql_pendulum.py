"""CQL from episodes of the SAC of `programs/gym/sac.py` and as many random ones. From the folder of the repository:

python programs/gym/sac.py --workdir runs/sac-pendulum
tfacme record --run runs/sac-pendulum --episodes 50 --out recordings/mixed-pendulum
tfacme record --random --env gym:Pendulum-v1 --episodes 50 --out recordings/mixed-pendulum
python offline/gym/cql_pendulum.py --seed 1
"""

import tfacme
from tfacme import cli, datasets, environments
from tfacme.agents import cql


def experiment(seed: int = 0, steps: int = 20_000) -> tfacme.Experiment:
  """100 episodes of 200 steps, whose rewards are of some 16 at the most."""
  config = cql.CQLConfig(
    reward_scale=0.1,
    action_samples=4,
    policy_learning_rate=3e-4,
    critic_learning_rate=1e-3,
  )
  return tfacme.Experiment(
    builder=cql.CQLBuilder(config),
    networks=cql.default_networks(hidden_sizes=(64, 64)),
    environment=environments.factory('gym:Pendulum-v1'),
    budget=tfacme.Budget(learner_steps=steps),
    evaluation=tfacme.Evaluation(episodes=20),
    dataset=datasets.rlds('recordings/mixed-pendulum'),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
