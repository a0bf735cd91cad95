"""DQN on the classic control tasks of Gymnasium: `python programs/gym/dqn.py --seed 1`."""

import math

import tfacme
from tfacme import cli, environments
from tfacme.agents import dqn


def experiment(seed: int = 0, steps: int = 50_000) -> tfacme.Experiment:
  """CartPole-v1, whose evaluation returns end at 500, the longest episode; it counts as solved from 475 on."""
  learner_steps = max(1, (steps - 1_000) // 2)  # samples_per_insert / batch_size, after the first min_replay_size
  config = dqn.DQNConfig(
    # Values come near 100 and a fall takes all of it: an error that counts linearly from 1 on would barely show a fall.
    huber_delta=math.inf,
    max_gradient_norm=10.0,
    # Nearly to 0, so that the policy of the last step is not one of the bad ones in between.
    learning_rate=(2.5e-3, 1e-5, learner_steps),
    epsilon=(1.0, 0.04, 8_000),
    target_update_period=128,
    samples_per_insert=32.0,
    max_replay_size=100_000,
    priority_exponent=0.0,
  )
  return tfacme.Experiment(
    builder=dqn.DQNBuilder(config),
    networks=dqn.mlp_networks(hidden_sizes=(256, 256)),
    environment=environments.factory('gym:CartPole-v1'),
    budget=tfacme.Budget(actor_steps=steps),
    evaluation=tfacme.Evaluation(episodes=20),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
