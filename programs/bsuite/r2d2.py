"""R2D2 on the memory tasks of bsuite: `python programs/bsuite/r2d2.py --seed 1`."""

import tfacme
from tfacme import cli, environments
from tfacme.agents import r2d2


def experiment(seed: int = 0) -> tfacme.Experiment:
  """Memory of length 10: the first two observations say which action is worth 1 at the end; the other costs 1."""
  config = r2d2.R2D2Config(trace_length=12, sequence_period=12, epsilon=(1.0, 0.05, 5_000), epsilon_ladder=0.0)
  return tfacme.Experiment(
    builder=r2d2.R2D2Builder(config),
    networks=r2d2.default_networks(hidden_sizes=(64,), lstm_size=64),
    environment=environments.factory('bsuite:memory_len/9'),
    budget=tfacme.Budget(actor_steps=20_000),
    evaluation=tfacme.Evaluation(episodes=20),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
