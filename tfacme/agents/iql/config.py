"""The hyperparameters of IQL. Imports no TensorFlow, so that the command line can show them at once."""

from __future__ import annotations

import dataclasses

from tfacme import configs
from tfacme.schedules import Schedule


@dataclasses.dataclass(frozen=True)
class IQLConfig(configs.ReplayConfig, configs.OptimizerConfig, configs.NStepConfig):
  """Implicit Q-learning: values of the data's better actions, and a policy that imitates those.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps, or over a share of the
  run, such as '50%'.
  """

  expectile: float = configs.number(0.7, above=0, below=1)
  """Which expectile of the recorded actions' values the value of a state is (tau; 0.9 in the paper's mazes): 0.5 is
  the mean, and near 1 it is the best action's."""

  inverse_temperature: float = configs.number(3.0, low=0)
  """How much better actions count more in the policy's regression, for each unit of the scaled rewards (beta; 10 in the
  paper's mazes); 0 is behaviour cloning."""

  max_weight: float = configs.number(100.0, above=0)
  """The most that an action counts in the policy's regression (the authors' code: 100)."""

  reward_scale: float = configs.number(1.0, above=0)
  """Rewards are multiplied by this before they are summed (the authors: so that the returns of the data's episodes of
  1,000 steps are 1,000 apart)."""

  value_learning_rate: Schedule = configs.schedule(3e-4)
  """Adam's step size for the value of states, a schedule over learner steps (Kostrikov et al. 2022, appendix)."""

  critic_learning_rate: Schedule = configs.schedule(3e-4)
  """Adam's step size for the critics, a schedule over learner steps (Kostrikov et al. 2022, appendix)."""

  policy_learning_rate: Schedule = configs.schedule(3e-4)
  """Adam's step size for the policy, a schedule over learner steps (the authors let it fall to 0 along a cosine over
  the run; (3e-4, 0.0, '100%') falls along a line)."""

  target_update_rate: float = configs.number(0.005, above=0, high=1)
  """Share of the way that the target critics go in each learner step (Kostrikov et al. 2022, appendix)."""


Config = IQLConfig
