"""PPO on the continuous tasks of Gymnasium: `python programs/gym/ppo_continuous.py --seed 1`."""

import tfacme
from tfacme import cli, environments
from tfacme.agents import ppo

_SLOTS = 4


def experiment(seed: int = 0, steps: int = 150_000) -> tfacme.Experiment:
  """Pendulum-v1, whose returns end near -150; from where it starts decides between 0 and -400."""
  unroll_length, epochs, minibatches = 1024, 10, 64
  adam_steps = max(1, steps // (_SLOTS * unroll_length)) * epochs * minibatches
  config = ppo.PPOConfig(
    # An episode is 200 steps, and a swing a few dozens: values that look further ahead are only harder to learn.
    discount=0.9,
    unroll_length=unroll_length,
    batch_size=_SLOTS,
    epochs=epochs,
    minibatches=minibatches,
    learning_rate=(5e-4, 0.0, adam_steps),  # With twice that one seed of five lost what it had learned.
    normalize_values=True,
  )
  return tfacme.Experiment(
    builder=ppo.PPOBuilder(config),
    networks=ppo.default_networks(hidden_sizes=(64, 64), normalize_observations=True),
    environment=environments.factory('gym:Pendulum-v1'),
    budget=tfacme.Budget(actor_steps=steps),
    evaluation=tfacme.Evaluation(episodes=20),
    layout=tfacme.Layout(slots=_SLOTS),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
