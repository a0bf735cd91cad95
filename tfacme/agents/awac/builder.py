"""How AWAC is put together."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tfacme import networks, specs
from tfacme.agents import transitions
from tfacme.agents.awac.config import AWACConfig
from tfacme.agents.awac.networks import AWACNetworks
from tfacme.agents.awac.update import AWACUpdate
from tfacme.networks import checks


@dataclasses.dataclass(frozen=True)
class AWACBuilder(transitions.TransitionsBuilder):
  """AWAC for choices, bounded continuous actions and nests of both: from recorded data, and on from there with actors.

  Attributes:
    config: its hyperparameters.
  """

  name: ClassVar[str] = 'AWAC'
  config: AWACConfig = AWACConfig()

  def update(self, made: AWACNetworks, spec: specs.EnvironmentSpec) -> AWACUpdate:
    """Critics and policy."""
    return AWACUpdate(made, self.config, spec.actions)

  def checks_networks(self, made: AWACNetworks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless policy and critics fit the actions; creates their variables if need be."""
    checks.check_policy_and_critics(self.name, made, spec, networks.Gaussian)


Builder = AWACBuilder
