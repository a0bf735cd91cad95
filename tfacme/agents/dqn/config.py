"""Every number of DQN. Imports no TensorFlow, so that the command line can show it at once."""

from __future__ import annotations

import dataclasses
import math
from typing import Optional

from tfacme import errors, schedules


@dataclasses.dataclass(frozen=True)
class DQNConfig:
  """DQN with double Q-learning, n-step returns and prioritized replay.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps.
  """

  discount: float = 0.99
  """Discount of the next step's value, in [0, 1] (Mnih et al. 2015, extended data table 1)."""

  n_step: int = 3
  """Rewards summed before the target network's value is used, in steps (Hessel et al. 2018, table 1: 3)."""

  double: bool = True
  """Whether the online network selects the action whose value the target network gives (van Hasselt et al. 2016)."""

  max_abs_reward: float = math.inf
  """Rewards are clipped to this size, each before they are summed (1 on Atari: Mnih et al. 2015); inf clips none."""

  batch_size: int = 64
  """Items of one learning step (32 in Mnih et al. 2015, 256 in Acme)."""

  learning_rate: schedules.Schedule = 1e-3
  """Adam's step size, a schedule over learner steps (Acme's DQNConfig)."""

  adam_epsilon: float = 1e-8
  """Added to the root of Adam's second moment (Kingma & Ba 2015, algorithm 1)."""

  max_gradient_norm: float = math.inf
  """Gradients of a larger global norm are scaled down to it; inf scales none (Wang et al. 2016, section 4.2: 10)."""

  huber_delta: float = 1.0
  """Errors count squared up to this size and linearly beyond, in units of the return (Mnih et al. 2015: 1)."""

  target_update_period: Optional[int] = 100
  """Learner steps between copies of the online network to the target (Acme's DQNConfig); None for a rate instead."""

  target_update_rate: Optional[float] = None
  """Share of the way that the target goes to the online network in each learner step (Lillicrap et al. 2016, tau)."""

  epsilon: schedules.Schedule = (1.0, 0.05, 5_000)
  """Share of random actions, a schedule over the actor steps of the run (shape: Mnih et al. 2015; end: Acme)."""

  epsilon_ladder: float = 0.0
  """Slot i of N acts with epsilon^(1 + ladder * i / (N - 1)); 0 is the same for all (Horgan et al. 2018: alpha, 7)."""

  evaluation_epsilon: float = 0.0
  """Share of random actions in evaluations (0.05 on Atari: Mnih et al. 2015, extended data table 1)."""

  min_replay_size: int = 1_000
  """Items in the replay before the first learning step (Acme's DQNConfig)."""

  max_replay_size: int = 1_000_000
  """Items that the replay holds; the oldest gives way (Mnih et al. 2015, extended data table 1)."""

  samples_per_insert: float = 16.0
  """Items sampled for each one inserted; with batch_size, how often it learns (Mnih et al. 2015: 8)."""

  samples_per_insert_tolerance: float = 0.1
  """How far samples and inserts may run apart, as a share of samples_per_insert * min_replay_size (Acme)."""

  priority_exponent: float = 0.6
  """How much errors count in sampling; 0 is uniform (Schaul et al. 2016, table 3: alpha, 0.6)."""

  priority_offset: float = 1e-6
  """Added to the size of each error, so that every item can be sampled again (Schaul et al. 2016, section 3.3)."""

  importance_exponent: schedules.Schedule = 0.4
  """How much of the sampling's bias is undone, a schedule over learner steps (Schaul et al. 2016: beta, 0.4 to 1)."""

  def __post_init__(self):
    for name in ('discount', 'evaluation_epsilon'):
      errors.in_range(name, getattr(self, name), low=0, high=1)
    for name in ('n_step', 'batch_size', 'min_replay_size'):
      errors.count(name, getattr(self, name))
    for name in (
      'max_abs_reward',
      'adam_epsilon',
      'max_gradient_norm',
      'huber_delta',
      'samples_per_insert',
      'priority_offset',
    ):
      errors.in_range(name, getattr(self, name), above=0)
    for name in ('epsilon_ladder', 'samples_per_insert_tolerance', 'priority_exponent'):
      errors.in_range(name, getattr(self, name), low=0)
    for name, high in (('learning_rate', math.inf), ('epsilon', 1), ('importance_exponent', 1)):
      schedules.check(name, getattr(self, name), low=0, high=high)
    errors.at_least('max_replay_size', self.max_replay_size, 'min_replay_size', self.min_replay_size)
    self._check_target_update()

  def _check_target_update(self):
    period, rate = self.target_update_period, self.target_update_rate
    if (period is None) == (rate is None):
      raise errors.UserError('Set one of target_update_period and target_update_rate, and the other to None.')
    if period is not None:
      errors.count('target_update_period', period)
    if rate is not None:
      errors.in_range('target_update_rate', rate, above=0, high=1)


Config = DQNConfig
