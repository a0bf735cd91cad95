"""Every number of R2D2. Imports no TensorFlow, so that the command line can show it at once."""

from __future__ import annotations

import dataclasses
import math

from tfacme import errors, schedules


@dataclasses.dataclass(frozen=True)
class R2D2Config:
  """Recurrent Q-learning from overlapping sequences in prioritized replay.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps.
  """

  discount: float = 0.997
  """Discount of the next step's value, in [0, 1] (Kapturowski et al. 2019, table 2)."""

  n_step: int = 5
  """Rewards summed before the target network's value is used, in steps (Kapturowski et al. 2019, table 2)."""

  burn_in: int = 0
  """Steps at the start of a sequence that only warm up the state (the paper: 40 on Atari)."""

  trace_length: int = 20
  """Steps of a sequence that are learned from (the paper: 80 on Atari)."""

  sequence_period: int = 10
  """Steps between the starts of two sequences, which overlap if there are fewer than in one (the paper: 40)."""

  transform_values: bool = True
  """Whether values are squashed by h(x) = sign(x) (sqrt(|x| + 1) - 1) + 0.001 x (the paper's section 2.3)."""

  max_abs_reward: float = math.inf
  """Rewards are clipped to this size; inf clips none, as in the paper, which squashes values instead."""

  batch_size: int = 32
  """Sequences of one learning step (64 in the paper, 32 in Acme's scripts)."""

  learning_rate: schedules.Schedule = 1e-3
  """Adam's step size, a schedule over learner steps (1e-4 in the paper's table 2)."""

  adam_epsilon: float = 1e-3
  """Added to the root of Adam's second moment (Kapturowski et al. 2019, table 2)."""

  max_gradient_norm: float = 40.0
  """Gradients of a larger global norm are scaled down to it; inf scales none (as in IMPALA; Acme's: none)."""

  target_update_period: int = 100
  """Learner steps between copies of the online network to the target (2,500 in the paper's table 2)."""

  epsilon: schedules.Schedule = 0.4
  """Share of random actions of the first slot, a schedule over actor steps (Horgan et al. 2018, section 4.1: 0.4)."""

  epsilon_ladder: float = 7.0
  """Slot i of N acts with epsilon^(1 + ladder * i / (N - 1)); 0 is the same for all (Horgan et al. 2018: alpha, 7)."""

  evaluation_epsilon: float = 0.0
  """Share of random actions in evaluations (Acme's R2D2Config)."""

  min_replay_size: int = 100
  """Sequences in the replay before the first learning step (50,000 in Acme's R2D2Config)."""

  max_replay_size: int = 100_000
  """Sequences that the replay holds; the oldest gives way (the paper's table 2: 4 million rows)."""

  samples_per_insert: float = 32.0
  """Sequences sampled for each one inserted; with batch_size, how often it learns (Acme's TF R2D2: 32)."""

  samples_per_insert_tolerance: float = 0.1
  """How far samples and inserts may run apart, as a share of samples_per_insert * min_replay_size (Acme)."""

  priority_exponent: float = 0.9
  """How much errors count in sampling; 0 is uniform (Kapturowski et al. 2019, section 2.3)."""

  max_priority_weight: float = 0.9
  """Share of the largest error in a sequence's priority, the rest being the mean (section 2.3: eta)."""

  importance_exponent: schedules.Schedule = 0.6
  """How much of the sampling's bias is undone, a schedule over learner steps (Kapturowski et al. 2019, section 2.3)."""

  def __post_init__(self):
    for name in ('discount', 'evaluation_epsilon', 'max_priority_weight'):
      errors.in_range(name, getattr(self, name), low=0, high=1)
    for name in ('n_step', 'trace_length', 'sequence_period', 'batch_size', 'target_update_period', 'min_replay_size'):
      errors.count(name, getattr(self, name))
    for name in ('max_abs_reward', 'adam_epsilon', 'max_gradient_norm', 'samples_per_insert'):
      errors.in_range(name, getattr(self, name), above=0)
    errors.count('burn_in', self.burn_in, low=0)
    for name in ('epsilon_ladder', 'samples_per_insert_tolerance', 'priority_exponent'):
      errors.in_range(name, getattr(self, name), low=0)
    for name, high in (('learning_rate', math.inf), ('epsilon', 1), ('importance_exponent', 1)):
      schedules.check(name, getattr(self, name), low=0, high=high)
    errors.at_least('max_replay_size', self.max_replay_size, 'min_replay_size', self.min_replay_size)


Config = R2D2Config
