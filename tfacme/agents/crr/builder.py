"""How CRR is put together."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tfacme import networks, specs
from tfacme.agents import transitions
from tfacme.agents.crr.config import CRRConfig
from tfacme.agents.crr.networks import CRRNetworks
from tfacme.agents.crr.update import CRRUpdate
from tfacme.networks import checks


@dataclasses.dataclass(frozen=True)
class CRRBuilder(transitions.TransitionsBuilder):
  """CRR for choices, bounded continuous actions and nests of both: from recorded data, and on from there with actors.

  Attributes:
    config: its hyperparameters.
  """

  name: ClassVar[str] = 'CRR'
  config: CRRConfig = CRRConfig()

  def update(self, made: CRRNetworks, spec: specs.EnvironmentSpec) -> CRRUpdate:
    """Critics and policy."""
    return CRRUpdate(made, self.config, spec.actions)

  def checks_networks(self, made: CRRNetworks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless policy and critics fit the actions; creates their variables if need be."""
    checks.check_policy_and_critics(self.name, made, spec, networks.Gaussian, memory=self.recurrent)


Builder = CRRBuilder
