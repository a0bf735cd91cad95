"""The hyperparameters of BC. Imports no TensorFlow, so that the command line can show them at once."""

from __future__ import annotations

import dataclasses
from typing import Literal

from tfacme import configs


@dataclasses.dataclass(frozen=True)
class BCConfig(configs.AdamConfig):
  """Behaviour cloning: supervised learning of recorded actions.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps, or over a share of the
  run, such as '50%'.
  """

  loss: Literal['log_likelihood', 'mse'] = configs.choice('log_likelihood', ('log_likelihood', 'mse'))
  """What is minimized: minus the recorded actions' log-likelihood, or the squared error of the mean (continuous)."""

  batch_size: int = configs.count(256)
  """Transitions of one learning step (Acme's scripts: 64)."""


Config = BCConfig
