"""The hyperparameters of AWAC. Imports no TensorFlow, so that the command line can show them at once."""

from __future__ import annotations

import dataclasses

from tfacme import configs
from tfacme.schedules import Schedule


@dataclasses.dataclass(frozen=True)
class AWACConfig(configs.ReplayConfig, configs.OptimizerConfig, configs.NStepConfig):
  """An actor-critic whose policy imitates the better actions of its data.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps, or over a share of the
  run, such as '50%'.
  """

  temperature: float = configs.number(1.0, above=0)
  """How much better an action has to be, in units of the scaled rewards, to count e times as much (Nair et al. 2020,
  algorithm 1: lambda)."""

  max_weight: float = configs.number(100.0, above=0)
  """The most that an action counts in the policy's regression; the paper has no limit."""

  reward_scale: float = configs.number(1.0, above=0)
  """Rewards are multiplied by this before they are summed; as good as dividing the temperature by it."""

  critic_learning_rate: Schedule = configs.schedule(3e-4)
  """Adam's step size for the critics, a schedule over learner steps (the authors' code: 3e-4)."""

  policy_learning_rate: Schedule = configs.schedule(3e-4)
  """Adam's step size for the policy, a schedule over learner steps (the authors' code: 3e-4)."""

  target_update_rate: float = configs.number(0.005, above=0, high=1)
  """Share of the way that the target critics go in each learner step (the authors' code: 0.005)."""


Config = AWACConfig
