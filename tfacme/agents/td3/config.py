"""The hyperparameters of TD3. Imports no TensorFlow, so that the command line can show them at once."""

from __future__ import annotations

import dataclasses

from tfacme import configs
from tfacme.schedules import Schedule


@dataclasses.dataclass(frozen=True)
class TD3Config(configs.ReplayConfig, configs.OptimizerConfig, configs.NStepConfig):
  """Twin delayed deterministic policy gradients.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps, or over a share of the
  run, such as '50%'.
  """

  online_only = ('noise', 'random_steps')

  policy_learning_rate: Schedule = configs.schedule(3e-4)
  """Adam's step size for the policy, a schedule over its own steps (Fujimoto et al. 2018: 1e-3; later code: 3e-4)."""

  critic_learning_rate: Schedule = configs.schedule(3e-4)
  """Adam's step size for the critics, a schedule over learner steps (Fujimoto et al. 2018: 1e-3; later code: 3e-4)."""

  target_update_rate: float = configs.number(0.005, above=0, high=1)
  """Share of the way that the targets go each time (Fujimoto et al. 2018, section 6.1: tau)."""

  policy_period: int = configs.count(2)
  """Learner steps for each step of the policy and of the targets (section 6.1: d); 1 delays neither."""

  noise: Schedule = configs.schedule(0.1)
  """Deviation of the noise that explores, of actions from -1 to 1; a schedule over actor steps (section 6.1)."""

  target_noise: float = configs.number(0.2, low=0)
  """Deviation of the noise that smooths the targets, on that scale (section 6.1: sigma); 0 smooths nothing."""

  target_noise_limit: float = configs.number(0.5, above=0)
  """That noise is clipped to this size (section 6.1: c)."""

  random_steps: int = configs.count(1_000, low=0)
  """Actor steps of the run in which actions are uniformly random (section 6.1: 1,000, or 10,000 for large tasks)."""


Config = TD3Config
