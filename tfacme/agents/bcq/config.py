"""The hyperparameters of BCQ. Imports no TensorFlow, so that the command line can show them at once."""

from __future__ import annotations

import dataclasses

from tfacme import configs
from tfacme.agents.dqn import config as dqn_config
from tfacme.schedules import Schedule


@dataclasses.dataclass(frozen=True)
class BCQConfig(dqn_config.DQNConfig):
  """Batch-constrained Q-learning of discrete actions: double Q-learning among the actions that are likely in the data.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps, or over a share of the
  run, such as '50%'. What concerns acting and replay counts in runs with actors alone.
  """

  threshold: float = configs.number(0.3, low=0, high=1)
  """How likely an action has to be in the data, as a share of the likeliest one's probability (Fujimoto et al. 2019:
  tau, 0.3); 0 is Q-learning, and 1 takes the likeliest action."""

  logit_cost: float = configs.number(0.01, low=0)
  """Weight of the mean square of the logits of actions in the data (the authors' code: 0.01)."""

  n_step: int = configs.count(1)
  """Rewards summed before the target network's value is used, in steps (Fujimoto et al. 2019: 1)."""

  learning_rate: Schedule = configs.schedule(3e-4)
  """Adam's step size, a schedule over its steps (the authors' code: 3e-4, and 6.25e-5 on Atari, with adam_epsilon
  1.5e-4)."""

  priority_exponent: float = configs.number(0.0, low=0)
  """How much errors count in sampling; 0 is uniform, as in the paper."""

  epsilon: Schedule = configs.schedule(0.05, high=1)
  """Share of random actions of the first slot, unlikely ones too, a schedule over the actor steps of the run."""


Config = BCQConfig
