"""IMPALA on bsuite's catch: `python programs/bsuite/impala.py --seed 1`."""

import tfacme
from tfacme import cli, environments
from tfacme.agents import impala

_SLOTS = 8


def experiment(seed: int = 0) -> tfacme.Experiment:
  """Catch, whose best return is 1."""
  config = impala.IMPALAConfig(learning_rate=5e-3, batch_size=_SLOTS, queue_size=_SLOTS)
  return tfacme.Experiment(
    builder=impala.IMPALABuilder(config),
    networks=impala.default_networks(hidden_sizes=(64,)),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=50_000),
    evaluation=tfacme.Evaluation(episodes=20),
    layout=tfacme.Layout(slots=_SLOTS),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
