"""Every number of SAC. Imports no TensorFlow, so that the command line can show it at once."""

from __future__ import annotations

import dataclasses
import math
from typing import Optional

from tfacme import errors, schedules


@dataclasses.dataclass(frozen=True)
class SACConfig:
  """Soft actor-critic with twin critics and a learned temperature.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps.
  """

  discount: float = 0.99
  """Discount of the next step's value, in [0, 1] (Haarnoja et al. 2018b, table 1)."""

  n_step: int = 1
  """Rewards summed before the target critics' value is used, in steps (the paper: 1; Acme's baselines: 2)."""

  reward_scale: float = 1.0
  """Rewards are multiplied by this before they are summed; as good as dividing a fixed temperature by it."""

  batch_size: int = 256
  """Items of one learning step (Haarnoja et al. 2018b, table 1)."""

  policy_learning_rate: schedules.Schedule = 3e-4
  """Adam's step size for the policy, a schedule over learner steps (Haarnoja et al. 2018b, table 1)."""

  critic_learning_rate: schedules.Schedule = 3e-4
  """Adam's step size for the critics, a schedule over learner steps (Haarnoja et al. 2018b, table 1)."""

  temperature_learning_rate: schedules.Schedule = 3e-4
  """Adam's step size for the logarithm of the temperature, a schedule over learner steps (the paper's table 1)."""

  adam_epsilon: float = 1e-8
  """Added to the root of Adam's second moment (Kingma & Ba 2015, algorithm 1)."""

  target_update_rate: float = 0.005
  """Share of the way that the target critics go in each learner step (Haarnoja et al. 2018b, table 1: tau)."""

  temperature: Optional[float] = None
  """What a nat of entropy is worth, in units of the reward; None learns it (Haarnoja et al. 2018b, section 5)."""

  initial_temperature: float = 1.0
  """Where a learned temperature starts."""

  target_entropy: Optional[float] = None
  """The policy's entropy that a learned temperature aims at, in nats; None is minus the number of actions (table 1)."""

  random_steps: int = 1_000
  """Actor steps of the run in which actions are uniformly random (the authors' code: 10,000 for large tasks)."""

  min_replay_size: int = 1_000
  """Items in the replay before the first learning step (Acme: 10,000)."""

  max_replay_size: int = 1_000_000
  """Items that the replay holds; the oldest gives way (Haarnoja et al. 2018b, table 1)."""

  samples_per_insert: float = 256.0
  """Items sampled for each one inserted: with batch_size 256, a learning step for each step (the paper's table 1)."""

  samples_per_insert_tolerance: float = 0.1
  """How far samples and inserts may run apart, as a share of samples_per_insert * min_replay_size (Acme)."""

  def __post_init__(self):
    for name in ('discount', 'target_update_rate'):
      errors.in_range(name, getattr(self, name), low=0, high=1)
    for name in ('n_step', 'batch_size', 'min_replay_size'):
      errors.count(name, getattr(self, name))
    for name in ('reward_scale', 'adam_epsilon', 'initial_temperature', 'samples_per_insert'):
      errors.in_range(name, getattr(self, name), above=0)
    errors.count('random_steps', self.random_steps, low=0)
    errors.in_range('samples_per_insert_tolerance', self.samples_per_insert_tolerance, low=0)
    for name in ('policy_learning_rate', 'critic_learning_rate', 'temperature_learning_rate'):
      schedules.check(name, getattr(self, name), low=0, high=math.inf)
    if self.temperature is not None:
      errors.in_range('temperature', self.temperature, low=0)
    errors.at_least('max_replay_size', self.max_replay_size, 'min_replay_size', self.min_replay_size)


Config = SACConfig
