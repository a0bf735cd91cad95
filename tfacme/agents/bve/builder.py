"""How BVE is put together (Gulcehre et al. 2021, "Regularized behavior value estimation")."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Optional

from tfacme import core, specs
from tfacme.agents import dqn
from tfacme.agents.bve.config import BVEConfig
from tfacme.losses import q_learning, ranking
from tfacme.replay import relabelling


@dataclasses.dataclass(frozen=True)
class BVEBuilder(dqn.DQNBuilder):
  """BVE for environments with a single discrete action: from recorded data, and on from there with actors.

  Attributes:
    config: its hyperparameters.
    loss: a variant, see `losses.q_learning`, to which the ranking is added; None is SARSA as the config has it.
    explore: picks actions by their values, see `networks.Explore`; None is epsilon-greedy as the config has it.
  """

  name: ClassVar[str] = 'BVE'
  config: BVEConfig = BVEConfig()

  def relabel(self, spec: specs.EnvironmentSpec) -> Optional[core.Relabel]:
    """Adds the returns by which recorded actions count, if they are ranked."""
    return relabelling.returns_to_go(self.config.discount) if self.config.ranking_weight else None

  def q_loss(self) -> q_learning.QLoss:
    """The variant that it was given, or SARSA as the config has it; and the ranking, if that counts."""
    loss, config = self.loss or q_learning.Sarsa(self.config.huber_delta), self.config
    return ranking.Ranked(loss, config.ranking_weight, config.ranking_margin) if config.ranking_weight else loss


Builder = BVEBuilder
