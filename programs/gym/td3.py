"""TD3 on the classic control tasks of Gymnasium: `python programs/gym/td3.py --seed 1`."""

import tfacme
from tfacme import cli, environments
from tfacme.agents import td3


def experiment(seed: int = 0) -> tfacme.Experiment:
  """Pendulum-v1, whose returns end near -150; from where it starts decides between 0 and -400."""
  config = td3.TD3Config(
    # A small task: larger steps than on MuJoCo, and learning almost from the start.
    policy_learning_rate=1e-3,
    critic_learning_rate=1e-3,
    random_steps=500,
    min_replay_size=500,
  )
  return tfacme.Experiment(
    builder=td3.TD3Builder(config),
    networks=td3.default_networks(hidden_sizes=(256, 256)),
    environment=environments.factory('gym:Pendulum-v1'),
    budget=tfacme.Budget(actor_steps=20_000),
    evaluation=tfacme.Evaluation(episodes=20),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
