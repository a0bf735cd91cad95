"""The hyperparameters of IMPALA. Imports no TensorFlow, so that the command line can show them at once."""

from __future__ import annotations

import dataclasses
import math

from tfacme import configs, errors
from tfacme.schedules import Schedule


@dataclasses.dataclass(frozen=True)
class IMPALAConfig(configs.AdamConfig):
  """An actor-critic with V-trace.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps, or over a share of the
  run, such as '50%'.
  """

  discount: float = configs.number(0.99, low=0, high=1)
  """Discount of the next step's value (gamma), in [0, 1] (Espeholt et al. 2018, table D.1)."""

  max_abs_reward: float = configs.number(math.inf, above=0)
  """Rewards are clipped to this size (1 on Atari: the paper's appendix D); inf clips none."""

  unroll_length: int = configs.count(20)
  """Rows of one segment of a slot's stream: its steps, and the final observations among them (table D.1)."""

  batch_size: int = configs.count(16)
  """Segments of one learning step (Acme's TF IMPALA; the paper's table D.1: 32)."""

  queue_size: int = configs.count(64)
  """Segments that may wait for the learner, four batches; then the actors wait for it (Acme's JAX IMPALA: ten)."""

  learning_rate: Schedule = configs.schedule(5e-4)
  """Adam's step size, a schedule over learner steps (the paper: RMSProp's, from 2e-4 to 6e-4)."""

  max_gradient_norm: float = configs.number(40.0, above=0)
  """Gradients of a larger global norm are scaled down to it; inf scales none (the paper's table D.1)."""

  entropy_cost: float = configs.number(0.01, low=0)
  """Weight of the policy's entropy in the objective (the paper's table D.1)."""

  baseline_cost: float = configs.number(0.5, low=0)
  """Weight of the halved squared error of the values (the paper's table D.1)."""

  clip_rho: float = configs.number(1.0, above=0)
  """The largest importance weight of an error of the values (Espeholt et al. 2018, equation 1)."""

  clip_policy_rho: float = configs.number(1.0, above=0)
  """The largest importance weight of an advantage (Espeholt et al. 2018, section 4.2)."""

  def __post_init__(self):
    super().__post_init__()
    errors.at_least('queue_size', self.queue_size, 'batch_size', self.batch_size)


Config = IMPALAConfig
