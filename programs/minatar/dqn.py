"""DQN on the games of MinAtar: `python programs/minatar/dqn.py --seed 1`."""

import tfacme
from tfacme import cli, environments
from tfacme.agents import dqn


def experiment(seed: int = 0) -> tfacme.Experiment:
  """Breakout, whose return is the number of bricks that are hit; at random it is about 0.5."""
  config = dqn.DQNConfig(
    batch_size=32,
    learning_rate=2.5e-4,
    max_gradient_norm=10.0,
    target_update_period=250,  # with a learning step for every four steps, 1,000 of them
    epsilon=(1.0, 0.02, 100_000),
    min_replay_size=5_000,
    max_replay_size=100_000,
    samples_per_insert=8.0,
  )
  return tfacme.Experiment(
    builder=dqn.DQNBuilder(config),
    networks=dqn.default_networks(hidden_sizes=(128,), duelling=True),
    environment=environments.factory('minatar:breakout'),
    budget=tfacme.Budget(actor_steps=500_000),
    layout=tfacme.Layout(slots=4),
    evaluation=tfacme.Evaluation(episodes=20),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
