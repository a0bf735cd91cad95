"""The hyperparameters of DQN. Imports no TensorFlow, so that the command line can show them at once."""

from __future__ import annotations

import dataclasses

from tfacme import configs


@dataclasses.dataclass(frozen=True)
class DQNConfig(configs.QLearningConfig):
  """DQN with double Q-learning, n-step returns and prioritized replay.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps, or over a share of the
  run, such as '50%'.
  """

  n_step: int = configs.count(3)
  """Rewards summed before the target network's value is used, in steps (Hessel et al. 2018, table 1: 3)."""

  double: bool = True
  """Whether the online network selects the action whose value the target network gives (van Hasselt et al. 2016)."""

  huber_delta: float = configs.number(1.0, above=0)
  """Errors count squared up to this size and linearly beyond, in units of the return (Mnih et al. 2015: 1)."""

  batch_size: int = configs.count(64)
  """Items of one learning step (32 in Mnih et al. 2015, 256 in Acme)."""

  samples_per_insert: float = configs.number(16.0, above=0)
  """Items sampled for each one inserted; with batch_size, how often it learns (Mnih et al. 2015: 8)."""


Config = DQNConfig
