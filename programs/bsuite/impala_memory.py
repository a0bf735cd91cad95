"""IMPALA with an LSTM on a memory task of bsuite: `python programs/bsuite/impala_memory.py --seed 1`."""

import tfacme
from tfacme import cli, environments
from tfacme.agents import impala

_SLOTS = 8


def experiment(seed: int = 0) -> tfacme.Experiment:
  """Memory of length 20: the first two observations say which action is worth 1 at the end; the other costs 1."""
  config = impala.IMPALAConfig(learning_rate=2e-3, unroll_length=42, batch_size=_SLOTS, queue_size=_SLOTS)
  return tfacme.Experiment(
    builder=impala.IMPALABuilder(config),
    networks=impala.default_networks(hidden_sizes=(64,), lstm_size=64),
    environment=environments.factory('bsuite:memory_len/13'),
    budget=tfacme.Budget(actor_steps=60_000),
    evaluation=tfacme.Evaluation(episodes=20),
    layout=tfacme.Layout(slots=_SLOTS),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
