"""IMPALA with an LSTM on the memory task of R2D2's page: `python programs/bsuite/impala_memory.py --seed 1`."""

import tfacme
from tfacme import environments, launching
from tfacme.agents import impala

_SLOTS = 8


def experiment(seed: int = 0) -> tfacme.Experiment:
  """Memory of length 10: the first observation says which action is right in the last one, 1 if it is and -1 if not."""
  config = impala.IMPALAConfig(learning_rate=2e-3, batch_size=_SLOTS, queue_size=_SLOTS)
  return tfacme.Experiment(
    builder=impala.IMPALABuilder(config),
    networks=impala.default_networks(hidden_sizes=(64,), lstm_size=64),
    environment=environments.factory('bsuite:memory_len/9'),
    budget=tfacme.Budget(actor_steps=20_000),
    layout=tfacme.Layout(slots=_SLOTS),
    seed=seed,
  )


if __name__ == '__main__':
  launching.main(experiment)
