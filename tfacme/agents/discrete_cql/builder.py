"""How discrete CQL is put together."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tfacme import specs
from tfacme.agents import dqn
from tfacme.agents.discrete_cql.config import DiscreteCQLConfig
from tfacme.agents.discrete_cql.networks import DiscreteCQLNetworks
from tfacme.agents.discrete_cql.update import DiscreteCQLUpdate


@dataclasses.dataclass(frozen=True)
class DiscreteCQLBuilder(dqn.DQNBuilder):
  """CQL for environments with a single discrete action: from recorded data, and on from there with actors.

  Attributes:
    config: its hyperparameters.
    loss: a variant of Q-learning, see `losses.q_learning`, to which the gap is added; None is double Q-learning as the
      config has it.
    explore: picks actions by their values, see `networks.Explore`; None is epsilon-greedy as the config has it.
  """

  name: ClassVar[str] = 'Discrete CQL'
  config: DiscreteCQLConfig = DiscreteCQLConfig()

  def update(self, made: DiscreteCQLNetworks, spec: specs.EnvironmentSpec) -> DiscreteCQLUpdate:
    """Q-learning, or the variant that is given, with the gap."""
    return DiscreteCQLUpdate(made, self.config, self.q_loss())


Builder = DiscreteCQLBuilder
