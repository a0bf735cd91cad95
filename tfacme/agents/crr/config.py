"""The hyperparameters of CRR. Imports no TensorFlow, so that the command line can show them at once."""

from __future__ import annotations

import dataclasses
from typing import Literal

from tfacme import configs
from tfacme.schedules import Schedule


@dataclasses.dataclass(frozen=True)
class CRRConfig(
  configs.SequenceConfig, configs.ReplayConfig, configs.OptimizerConfig, configs.NStepConfig, configs.TargetConfig
):
  """Critic-regularized regression: a policy that imitates what its critic holds for better than itself.

  With a trace_length its items are sequences, which batch_size, the sizes of the replay and samples_per_insert count.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps, or over a share of the
  run, such as '50%'.
  """

  weights: Literal['exponential', 'indicator', 'constant'] = configs.choice(
    'exponential', ('exponential', 'indicator', 'constant')
  )
  """How much an action counts by its advantage: exp(A / temperature), 1 if A is above 0 and else nothing (the paper's
  CRR exp and CRR binary), or always 1 (behaviour cloning)."""

  temperature: float = configs.number(1.0, above=0)
  """How much better an action has to be, in units of the scaled rewards, to count e times as much (Wang et al. 2020:
  beta, 1); for exponential weights."""

  max_weight: float = configs.number(20.0, above=0)
  """The most that an action counts, for exponential weights (Wang et al. 2020: 20)."""

  action_samples: int = configs.count(4)
  """Actions of the policy whose mean value is that of a state (Wang et al. 2020: m, 4). Where the action is a single
  choice, it is the mean over all actions by their probabilities, and this does not count."""

  sarsa_targets: bool = False
  """Whether critics learn the values of the data's next actions in place of the policy's: one step of improvement over
  what acted in the data (Brandfonbrener et al. 2021)."""

  reward_scale: float = configs.number(1.0, above=0)
  """Rewards are multiplied by this before they are summed; as good as dividing the temperature by it."""

  critic_learning_rate: Schedule = configs.schedule(3e-4)
  """Adam's step size for the critics, a schedule over learner steps (Acme: 3e-4)."""

  policy_learning_rate: Schedule = configs.schedule(3e-4)
  """Adam's step size for the policy, a schedule over learner steps (Acme: 3e-4)."""


Config = CRRConfig
