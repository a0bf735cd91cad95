"""The hyperparameters of discrete CQL. Imports no TensorFlow, so that the command line can show them at once."""

from __future__ import annotations

import dataclasses

from tfacme import configs
from tfacme.agents.dqn import config as dqn_config


@dataclasses.dataclass(frozen=True)
class DiscreteCQLConfig(configs.ConservativeConfig, dqn_config.DQNConfig):
  """DQN that holds the values of actions low that are not in the data.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps, or over a share of the
  run, such as '50%'. What concerns exploration and replay counts in runs with actors alone.
  """

  conservative_weight: float = configs.number(1.0, low=0)
  """How much the gap counts beside half of the squared error (the authors' code on Atari: 1 with a tenth of the data, 4
  with a hundredth); its first value, if it is learned."""

  n_step: int = configs.count(1)
  """Rewards summed before the target network's value is used, in steps (Kumar et al. 2020: 1); what follows a recorded
  action is not corrected for."""

  priority_exponent: float = configs.number(0.0, low=0)
  """How much errors count in sampling; 0 is uniform, as recorded data are always read."""


Config = DiscreteCQLConfig
