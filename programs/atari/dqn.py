"""DQN on the games of Atari: `python programs/atari/dqn.py --seed 1`."""

import tfacme
from tfacme import cli, environments
from tfacme.agents import dqn


def experiment(seed: int = 0, steps: int = 2_500_000) -> tfacme.Experiment:
  """Pong, from -21 to 21; a step is four frames. The replay holds 0.7 GB of pictures, which no checkpoint keeps."""
  config = dqn.DQNConfig(
    max_abs_reward=1.0,
    batch_size=32,
    learning_rate=6.25e-5,
    adam_epsilon=1.5e-4,
    max_gradient_norm=10.0,
    target_update_period=2_000,
    epsilon=(1.0, 0.01, '10%'),
    min_replay_size=max(32, min(20_000, steps // 10)),
    max_replay_size=100_000,
    samples_per_insert=8.0,
  )
  return tfacme.Experiment(
    builder=dqn.DQNBuilder(config),
    networks=dqn.default_networks(hidden_sizes=(512,), duelling=True),
    environment=environments.factory('atari:Pong', kwargs={'stack': 1}),
    stack=4,  # by the replay and the policy, in the place of the environment: each picture is stored once
    budget=tfacme.Budget(actor_steps=steps),
    evaluation=tfacme.Evaluation(every=max(1, steps // 5), episodes=2),
    checkpointing=tfacme.Checkpointing(replay=False),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
