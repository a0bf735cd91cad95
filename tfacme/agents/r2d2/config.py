"""The hyperparameters of R2D2. Imports no TensorFlow, so that the command line can show them at once."""

from __future__ import annotations

import dataclasses

from tfacme import configs
from tfacme.schedules import Schedule


@dataclasses.dataclass(frozen=True)
class R2D2Config(configs.SequenceConfig, configs.QLearningConfig):
  """Recurrent Q-learning from overlapping sequences in prioritized replay.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps, or over a share of the
  run, such as '50%'.
  """

  discount: float = configs.number(0.997, low=0, high=1)
  """Discount of the next step's value (gamma), in [0, 1] (Kapturowski et al. 2019, table 2)."""

  n_step: int = configs.count(5)
  """Rewards summed before the target network's value is used, in steps (Kapturowski et al. 2019, table 2)."""

  trace_length: int = configs.count(20)
  """Steps of a sequence that are learned from (the paper: 80 on Atari)."""

  transform_values: bool = True
  """Whether values are squashed by h(x) = sign(x) (sqrt(|x| + 1) - 1) + 0.001 x (the paper's section 2.3)."""

  batch_size: int = configs.count(32)
  """Sequences of one learning step (64 in the paper, 32 in Acme's scripts)."""

  adam_epsilon: float = configs.number(1e-3, above=0)
  """Added to the root of Adam's second moment (Kapturowski et al. 2019, table 2)."""

  max_gradient_norm: float = configs.number(40.0, above=0)
  """Gradients of a larger global norm are scaled down to it; inf scales none (as in IMPALA; Acme's: none)."""

  epsilon: Schedule = configs.schedule(0.4, high=1)
  """Share of random actions of the first slot, a schedule over actor steps (Horgan et al. 2018, section 4.1: 0.4)."""

  epsilon_ladder: float = configs.number(7.0, low=0)
  """Slot i of N acts with epsilon^(1 + ladder * i / (N - 1)); 0 is the same for all (Horgan et al. 2018: alpha, 7)."""

  min_replay_size: int = configs.count(100)
  """Sequences in the replay before the first learning step (50,000 in Acme's R2D2Config)."""

  max_replay_size: int = configs.count(100_000)
  """Sequences that the replay holds; the oldest gives way (the paper's table 2: 4 million rows)."""

  samples_per_insert: float = configs.number(32.0, above=0)
  """Sequences sampled for each one inserted; with batch_size, how often it learns (Acme's TF R2D2: 32)."""

  priority_exponent: float = configs.number(0.9, low=0)
  """How much errors count in sampling; 0 is uniform (Kapturowski et al. 2019, section 2.3)."""

  max_priority_weight: float = configs.number(0.9, low=0, high=1)
  """Share of the largest error in a sequence's priority, the rest being the mean (section 2.3: eta)."""

  importance_exponent: Schedule = configs.schedule(0.6, high=1)
  """How much of the sampling's bias is undone, a schedule over learner steps (Kapturowski et al. 2019, section 2.3)."""


Config = R2D2Config
