"""SAC on the Control Suite: `python programs/dm_control/sac.py --seed 1`."""

import tfacme
from tfacme import cli, environments
from tfacme.agents import sac


def experiment(seed: int = 0) -> tfacme.Experiment:
  """Swinging a pole up and balancing it, from the state; an episode has 1,000 steps with a reward of at most 1."""
  return tfacme.Experiment(
    builder=sac.SACBuilder(sac.SACConfig()),
    networks=sac.default_networks(hidden_sizes=(256, 256)),
    environment=environments.factory('dm_control:cartpole:swingup'),
    budget=tfacme.Budget(actor_steps=100_000),
    evaluation=tfacme.Evaluation(episodes=20),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
