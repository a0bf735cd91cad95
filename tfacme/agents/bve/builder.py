"""How BVE is put together (Gulcehre et al. 2021, "Regularized behavior value estimation")."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tfacme.agents import dqn
from tfacme.agents.bve.config import BVEConfig
from tfacme.losses import q_learning


@dataclasses.dataclass(frozen=True)
class BVEBuilder(dqn.DQNBuilder):
  """BVE for environments with a single discrete action: from recorded data, and on from there with actors.

  Attributes:
    config: its hyperparameters.
    loss: a variant, see `losses.q_learning`; None is SARSA as the config has it.
    explore: picks actions by their values, see `networks.Explore`; None is epsilon-greedy as the config has it.
  """

  name: ClassVar[str] = 'BVE'
  config: BVEConfig = BVEConfig()

  def q_loss(self) -> q_learning.QLoss:
    """The variant that it was given, or SARSA as the config has it."""
    return self.loss or q_learning.Sarsa(self.config.huber_delta)


Builder = BVEBuilder
