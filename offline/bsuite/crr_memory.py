"""CRR with memory from random actions, on a memory task of bsuite. From the folder of the repository:

tfacme record --random --env bsuite:memory_len/9 --episodes 1000 --out recordings/random-memory
python offline/bsuite/crr_memory.py --seed 1
"""

import tfacme
from tfacme import cli, datasets, environments
from tfacme.agents import crr


def experiment(seed: int = 0, steps: int = 500) -> tfacme.Experiment:
  """Memory of length 10: the first two observations say which action is worth 1 at the end; the other costs 1."""
  config = crr.CRRConfig(trace_length=12, sequence_period=12, batch_size=32)
  return tfacme.Experiment(
    builder=crr.CRRBuilder(config),
    networks=crr.default_networks(hidden_sizes=(64,), lstm_size=64),
    environment=environments.factory('bsuite:memory_len/9'),
    budget=tfacme.Budget(learner_steps=steps),
    evaluation=tfacme.Evaluation(episodes=20),
    dataset=datasets.rlds('recordings/random-memory'),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
