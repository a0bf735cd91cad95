"""RLPD: SAC on Pendulum, with half of each batch from episodes of a SAC that has learned. From the repository's folder:

python programs/gym/sac.py --workdir runs/sac-pendulum
tfacme record --run runs/sac-pendulum --episodes 50 --out recordings/sac-pendulum
python programs/gym/rlpd_pendulum.py --seed 1
"""

import tfacme
from tfacme import cli, datasets, environments
from tfacme.agents import sac


def experiment(seed: int = 0) -> tfacme.Experiment:
  """What Ball et al. 2023 ("Efficient online reinforcement learning with offline data") put together."""
  config = sac.SACConfig(
    # Those of `programs/gym/sac.py`, but that it learns as soon as there is an episode.
    policy_learning_rate=1e-3,
    critic_learning_rate=1e-3,
    temperature_learning_rate=1e-3,
    random_steps=200,
    min_replay_size=200,
    # Two of ten critics for each target, and several learning steps for each step of the actors; the paper has 20.
    target_critics=2,
    batch_size=256,
    samples_per_insert=4 * 256,
  )
  return tfacme.Experiment(
    builder=sac.SACBuilder(config),
    # Of both policy and critics the first layer is normalized; in the paper all layers of the critics are.
    networks=sac.default_networks(hidden_sizes=(256, 256), critics=10, layer_norm=True),
    environment=environments.factory('gym:Pendulum-v1'),
    budget=tfacme.Budget(actor_steps=5_000),
    evaluation=tfacme.Evaluation(episodes=20),
    dataset=datasets.rlds('recordings/sac-pendulum'),
    dataset_share=0.5,
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
