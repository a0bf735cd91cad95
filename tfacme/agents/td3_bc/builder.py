"""How TD3+BC is put together (Fujimoto & Gu 2021, "A minimalist approach to offline reinforcement learning")."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tfacme import specs
from tfacme.agents import td3
from tfacme.agents.td3_bc.config import TD3BCConfig
from tfacme.agents.td3_bc.networks import TD3BCNetworks
from tfacme.losses import deterministic


@dataclasses.dataclass(frozen=True)
class TD3BCBuilder(td3.TD3Builder):
  """TD3+BC for bounded continuous actions, or nests of those, from recorded data.

  Attributes:
    config: its hyperparameters.
    policy_loss: what the policy minimizes, a `losses.deterministic.Variant`; None is the value of its actions and their
      distance to the recorded ones, as the config has it.
  """

  name: ClassVar[str] = 'TD3+BC'
  config: TD3BCConfig = TD3BCConfig()

  def update(self, made: TD3BCNetworks, spec: specs.EnvironmentSpec) -> td3.TD3Update:
    """TD3's, with a loss of the policy that counts the recorded actions."""
    policy_loss = self.policy_loss or deterministic.BehaviourRegularized(self.config.alpha)
    return td3.TD3Update(made, self.config, spec.actions, policy_loss)


Builder = TD3BCBuilder
