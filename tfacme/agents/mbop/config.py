"""The hyperparameters of MBOP. Imports no TensorFlow, so that the command line can show them at once."""

from __future__ import annotations

import dataclasses

from tfacme import configs
from tfacme.schedules import Schedule


@dataclasses.dataclass(frozen=True)
class MBOPConfig(configs.ReplayConfig, configs.AdamConfig):
  """Supervised learning of three models, and a planner that acts by them.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps, or over a share of the
  run, such as '50%'. What concerns replay counts in runs with actors alone.
  """

  learning_rate: Schedule = configs.schedule(3e-4)
  """Adam's step size for each of the three models, a schedule over learner steps (Acme: 3e-4)."""

  horizon: int = configs.count(15)
  """Steps of a plan, and those whose rewards the return model sums (Argenson & Dulac-Arnold 2021, algorithm 2: H;
  Acme: 15)."""

  trajectories: int = configs.count(1_000)
  """Trajectories sampled for each action, a multiple of the members of an ensemble (algorithm 2: N; Acme: 1,000)."""

  sigma: float = configs.number(0.8, low=0)
  """The standard deviation of the noise on their actions, where these lie between -1 and 1 (algorithm 2; Acme: 0.8)."""

  beta: float = configs.number(0.2, low=0, high=1)
  """How much of an action is the last plan's for the same step, from 0 to 1 (algorithm 2; Acme: 0.2)."""

  kappa: float = configs.number(0.5, low=0)
  """How much the return of a trajectory counts, per standard deviation of the rewards in the data: 0 averages all
  trajectories alike, and a large one takes the best (algorithm 2; Acme: 0.5)."""


Config = MBOPConfig
