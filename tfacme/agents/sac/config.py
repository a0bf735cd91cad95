"""The hyperparameters of SAC. Imports no TensorFlow, so that the command line can show them at once."""

from __future__ import annotations

import dataclasses
from typing import Optional

from tfacme import configs
from tfacme.schedules import Schedule


@dataclasses.dataclass(frozen=True)
class SACConfig(configs.ReplayConfig, configs.OptimizerConfig, configs.NStepConfig):
  """Soft actor-critic with twin critics and a learned temperature.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps, or over a share of the
  run, such as '50%'.
  """

  online_only = ('random_steps',)

  reward_scale: float = configs.number(1.0, above=0)
  """Rewards are multiplied by this before they are summed; as good as dividing a fixed temperature by it."""

  policy_learning_rate: Schedule = configs.schedule(3e-4)
  """Adam's step size for the policy, a schedule over learner steps (Haarnoja et al. 2018b, table 1)."""

  critic_learning_rate: Schedule = configs.schedule(3e-4)
  """Adam's step size for the critics, a schedule over learner steps (Haarnoja et al. 2018b, table 1)."""

  temperature_learning_rate: Schedule = configs.schedule(3e-4)
  """Adam's step size for the logarithm of the temperature, a schedule over learner steps (the paper's table 1)."""

  target_update_rate: float = configs.number(0.005, above=0, high=1)
  """Share of the way that the target critics go in each learner step (Haarnoja et al. 2018b, table 1: tau)."""

  target_critics: Optional[int] = configs.count(None)
  """Of how many target critics, drawn in each learning step, the lowest counts; the policy then goes by the mean of all
  critics (Chen et al. 2021, algorithm 1: 2 of 10). None takes all of them, and the lowest for the policy too."""

  temperature: Optional[float] = configs.number(None, low=0)
  """What a nat of entropy is worth, in units of the reward; None learns it (Haarnoja et al. 2018b, section 5)."""

  initial_temperature: float = configs.number(1.0, above=0)
  """Where a learned temperature starts."""

  target_entropy: Optional[float] = configs.number(None)
  """The policy's entropy that a learned temperature aims at, in nats; None is minus the number of actions (table 1)."""

  backup_entropy: bool = True
  """Whether the critics' targets count the policy's entropy in what follows (Haarnoja et al. 2018b, equation 3)."""

  random_steps: int = configs.count(1_000, low=0)
  """Actor steps of the run in which actions are uniformly random (the authors' code: 10,000 for large tasks)."""


Config = SACConfig
