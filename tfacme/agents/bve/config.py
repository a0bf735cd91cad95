"""The hyperparameters of BVE. Imports no TensorFlow, so that the command line can show them at once."""

from __future__ import annotations

import dataclasses
from typing import Optional

from tfacme import configs, errors
from tfacme.schedules import Schedule


@dataclasses.dataclass(frozen=True)
class BVEConfig(configs.QLearningConfig):
  """Behaviour value estimation: SARSA from recorded data, and with a ranking of actions R-BVE.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps, or over a share of the
  run, such as '50%'. What concerns acting and replay counts in runs with actors alone.
  """

  huber_delta: float = configs.number(1.0, above=0)
  """Errors count squared up to this size and linearly beyond, in units of the return (Acme: 1)."""

  ranking_weight: float = configs.number(0.0, low=0)
  """How much it counts that recorded actions rank above all others, those most after which returns were high (R-BVE);
  with 0, as in Acme, they don't."""

  ranking_margin: float = configs.number(0.05, low=0)
  """How far they are to be above, in units of the (clipped) return. Neither this number nor any weight is
  confirmed to be the paper's."""

  learning_rate: Schedule = configs.schedule(3e-4)
  """Adam's step size, a schedule over its steps (Acme: 3e-4)."""

  target_update_period: Optional[int] = dataclasses.field(
    default=2_500, metadata={'check': errors.count, 'optional': True}
  )
  """Learner steps between copies of the online network to the target (Acme: 2,500); None for a rate instead."""

  priority_exponent: float = configs.number(0.0, low=0)
  """How much errors count in sampling; 0 is uniform, as in the paper."""

  epsilon: Schedule = configs.schedule(0.05, high=1)
  """Share of random actions of the first slot, a schedule over the actor steps of the run (Acme: 0.05)."""


Config = BVEConfig
