"""IMPALA on CartPole: `python programs/gym/impala.py --launch local_mp --seed 1`."""

import tfacme
from tfacme import cli, environments
from tfacme.agents import impala

_ACTORS, _SLOTS = 2, 4


def experiment(seed: int = 0, steps: int = 400_000) -> tfacme.Experiment:
  """CartPole-v1, whose evaluation returns end at 500, the longest episode; it counts as solved from 475 on."""
  unroll_length, batch_size = 20, 8
  learner_steps = max(1, steps // (unroll_length * batch_size))
  config = impala.IMPALAConfig(
    discount=0.98,
    unroll_length=unroll_length,
    batch_size=batch_size,
    queue_size=2 * batch_size,
    learning_rate=(4e-3, 0.0, learner_steps),
    entropy_cost=0.003,
    baseline_cost=0.05,  # Values are near 50: their errors would outweigh the policy's gradient in what both share.
    max_gradient_norm=1.0,
  )
  return tfacme.Experiment(
    builder=impala.IMPALABuilder(config),
    networks=impala.default_networks(hidden_sizes=(64, 64), activation='tanh', normalize_observations=True),
    environment=environments.factory('gym:CartPole-v1'),
    budget=tfacme.Budget(actor_steps=steps),
    evaluation=tfacme.Evaluation(episodes=20),
    layout=tfacme.Layout(actors=_ACTORS, slots=_SLOTS),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
