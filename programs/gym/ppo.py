"""PPO on the classic control tasks of Gymnasium: `python programs/gym/ppo.py --seed 1`."""

import tfacme
from tfacme import cli, environments
from tfacme.agents import ppo

_SLOTS = 8


def experiment(seed: int = 0, steps: int = 100_000) -> tfacme.Experiment:
  """CartPole-v1, whose evaluation returns end at 500, the longest episode; it counts as solved from 475 on."""
  unroll_length, epochs, minibatches = 32, 20, 1
  adam_steps = max(1, steps // (_SLOTS * unroll_length)) * epochs * minibatches
  config = ppo.PPOConfig(  # as in RL Baselines3 Zoo
    discount=0.98,
    gae_lambda=0.8,
    unroll_length=unroll_length,
    batch_size=_SLOTS,
    epochs=epochs,
    minibatches=minibatches,
    learning_rate=(1e-3, 0.0, adam_steps),
    clip=(0.2, 0.0, adam_steps),
  )
  return tfacme.Experiment(
    builder=ppo.PPOBuilder(config),
    networks=ppo.default_networks(hidden_sizes=(64, 64)),
    environment=environments.factory('gym:CartPole-v1'),
    budget=tfacme.Budget(actor_steps=steps),
    evaluation=tfacme.Evaluation(episodes=20),
    layout=tfacme.Layout(slots=_SLOTS),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
