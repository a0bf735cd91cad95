"""How CQL is put together."""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar, Optional

from tfacme import core, specs
from tfacme.agents import sac
from tfacme.agents.cql.config import CQLConfig
from tfacme.agents.cql.networks import CQLNetworks
from tfacme.agents.cql.update import CQLUpdate
from tfacme.replay import relabelling


@dataclasses.dataclass(frozen=True)
class CQLBuilder(sac.SACBuilder):
  """CQL for bounded continuous actions, or nests of those: from recorded data, and on from there with actors.

  Attributes:
    config: its hyperparameters.
  """

  name: ClassVar[str] = 'CQL'
  config: CQLConfig = CQLConfig()

  def relabel(self, spec: specs.EnvironmentSpec) -> Optional[core.Relabel]:
    """Adds the returns that values are not pushed below, if it is calibrated by those."""
    if not self.config.calibrated:
      return None
    # Where an episode was truncated, the sum of what came is no bound from below: what would have come may be negative.
    return relabelling.returns_to_go(self.config.discount, truncated=-math.inf)

  def update(self, made: CQLNetworks, spec: specs.EnvironmentSpec) -> CQLUpdate:
    """Critics, policy, temperature, and the weight of the gap."""
    return CQLUpdate(made, self.config, spec.actions)


Builder = CQLBuilder
