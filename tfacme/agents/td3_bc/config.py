"""The hyperparameters of TD3+BC. Imports no TensorFlow, so that the command line can show them at once."""

from __future__ import annotations

import dataclasses

from tfacme import configs
from tfacme.agents.td3 import config as td3_config


@dataclasses.dataclass(frozen=True)
class TD3BCConfig(td3_config.TD3Config):
  """TD3 whose policy stays near the recorded actions.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps, or over a share of the
  run, such as '50%'. What concerns acting and replay counts in runs with actors alone.
  """

  alpha: float = configs.number(2.5, low=0)
  """How much values count against the distance to recorded actions (Fujimoto & Gu 2021, section 5: 2.5); 0 clones."""


Config = TD3BCConfig
