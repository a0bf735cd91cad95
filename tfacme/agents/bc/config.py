"""Every number of BC. Imports no TensorFlow, so that the command line can show it at once."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

from tfacme import errors, schedules


@dataclasses.dataclass(frozen=True)
class BCConfig:
  """Behaviour cloning: supervised learning of recorded actions.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps.
  """

  loss: Literal['log_likelihood', 'mse'] = 'log_likelihood'
  """What is minimized: minus the recorded actions' log-likelihood, or the squared error of the mean (continuous)."""

  batch_size: int = 256
  """Transitions of one learning step (Acme's scripts: 64)."""

  shuffle_bytes: int = 2**30
  """Recorded rows over which transitions are shuffled, in bytes; twice that is in memory while the next are read."""

  learning_rate: schedules.Schedule = 1e-3
  """Adam's step size, a schedule over learner steps (Acme's BCConfig: 1e-4)."""

  adam_epsilon: float = 1e-8
  """Added to the root of Adam's second moment (Kingma & Ba 2015, algorithm 1)."""

  max_gradient_norm: float = math.inf
  """Gradients of a larger global norm are scaled down to it; inf scales none."""

  def __post_init__(self):
    for name in ('batch_size', 'shuffle_bytes'):
      errors.count(name, getattr(self, name))
    for name in ('adam_epsilon', 'max_gradient_norm'):
      errors.in_range(name, getattr(self, name), above=0)
    schedules.check('learning_rate', self.learning_rate, low=0, high=math.inf)
    if self.loss not in ('log_likelihood', 'mse'):
      raise errors.unknown('loss of BC', self.loss, ('log_likelihood', 'mse'), 'there are log_likelihood and mse.')


Config = BCConfig
