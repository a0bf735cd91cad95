"""The hyperparameters of PPO. Imports no TensorFlow, so that the command line can show them at once."""

from __future__ import annotations

import dataclasses
import math

from tfacme import configs, errors
from tfacme.schedules import Schedule


@dataclasses.dataclass(frozen=True)
class PPOConfig(configs.AdamConfig):
  """Proximal policy optimization with a clipped surrogate.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps, or over a share of the
  run, such as '50%'.
  """

  discount: float = configs.number(0.99, low=0, high=1)
  """Discount of the next step's value (gamma), in [0, 1] (Schulman et al. 2017, table 3)."""

  gae_lambda: float = configs.number(0.95, low=0, high=1)
  """How much of the errors of later steps an advantage takes in, in [0, 1] (Schulman et al. 2017, table 3)."""

  unroll_length: int = configs.count(128)
  """Rows of one segment of a slot's stream: its steps, and the final observations among them (table 5: 128)."""

  batch_size: int = configs.count(8)
  """Segments of one learning step; as many as there are slots in all is usual (Schulman et al. 2017, table 5: 8)."""

  epochs: int = configs.count(10)
  """How often a learning step goes over its segments (Schulman et al. 2017, table 3: 10)."""

  minibatches: int = configs.count(16)
  """Parts into which an epoch divides the shuffled transitions, with a step of Adam for each (64 each: table 3)."""

  learning_rate: Schedule = configs.schedule(3e-4)
  """Adam's step size, a schedule over steps of Adam (Schulman et al. 2017, table 3)."""

  adam_epsilon: float = configs.number(1e-7, above=0)
  """Added to the root of Adam's second moment (Acme's PPOConfig)."""

  max_gradient_norm: float = configs.number(0.5, above=0)
  """Gradients of a larger global norm are scaled down to it; inf scales none (Acme's PPOConfig)."""

  clip: Schedule = configs.schedule(0.2)
  """How far from 1 a ratio of probabilities still counts, a schedule over steps of Adam (the paper's table 1)."""

  entropy_cost: float = configs.number(0.0, low=0)
  """Weight of the policy's entropy in the objective (Schulman et al. 2017, equation 9: c2; table 5: 0.01)."""

  value_cost: float = configs.number(0.5, low=0)
  """Weight of the squared error of the values, halved as usual (equation 9: c1; table 5: 1)."""

  value_clip: float = configs.number(math.inf, above=0)
  """Values may move this far from those before the learning step, as the ratios do; inf clips none (OpenAI's code)."""

  normalize_advantages: bool = True
  """Whether the advantages of each minibatch are normalized to mean 0 and deviation 1 (OpenAI's code)."""

  normalize_values: bool = False
  """Whether the value network learns targets normalized to mean 0 and deviation 1 (Acme's PPOConfig)."""

  value_decay: float = configs.number(0.995, low=0, high=1)
  """What the weight of older targets is multiplied by at each learning step, for normalize_values (Acme's ema_tau)."""

  def __post_init__(self):
    super().__post_init__()
    transitions = self.batch_size * self.unroll_length
    if transitions % self.minibatches:
      raise errors.UserError(
        f'{self.minibatches} minibatches do not divide the {transitions} transitions of a learning step '
        '(batch_size * unroll_length) evenly.'
      )


Config = PPOConfig
