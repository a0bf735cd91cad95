"""The hyperparameters of CQL. Imports no TensorFlow, so that the command line can show them at once."""

from __future__ import annotations

import dataclasses
from typing import Optional

from tfacme import configs
from tfacme.agents.sac import config as sac_config
from tfacme.schedules import Schedule


@dataclasses.dataclass(frozen=True)
class CQLConfig(configs.ConservativeConfig, sac_config.SACConfig):
  """SAC whose critics hold the values of actions low that are not in the data.

  A schedule is a number, or (start, end, steps): linear from start to end over so many steps, or over a share of the
  run, such as '50%'. What concerns acting and replay counts in runs with actors alone.
  """

  action_samples: int = configs.count(10)
  """Actions of each of three kinds by which all actions of a state are estimated: uniform ones, the policy's there, and
  the policy's in the state that follows (Kumar et al. 2020, appendix F: N, 10)."""

  bc_steps: int = configs.count(0, low=0)
  """Learner steps at the beginning in which the policy clones the recorded actions, and does not look at values (the
  authors' code: up to 40,000; Acme: 50,000 of 1,000,000)."""

  calibrated: bool = False
  """Whether values of the policy's actions are not pushed below the returns that were recorded (Nakamoto et al. 2023,
  Cal-QL), for data on from which it is to learn with actors."""

  policy_learning_rate: Schedule = configs.schedule(3e-5)
  """Adam's step size for the policy, a schedule over learner steps (Kumar et al. 2020, appendix F; the authors' code:
  1e-4)."""

  temperature: Optional[float] = configs.number(None, low=0)
  """What a nat of entropy is worth, in units of the reward (Acme: 0); None learns it, as the authors' code does: the
  samples of a policy without entropy have densities that grow until they count for nothing in the gap."""

  backup_entropy: bool = False
  """Whether the critics' targets count the policy's entropy in what follows (the authors' code: they do not)."""

  random_steps: int = configs.count(0, low=0)
  """Actor steps of the run in which actions are uniformly random; none, since its runs go on from recorded data."""


Config = CQLConfig
