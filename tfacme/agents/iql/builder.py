"""How IQL is put together."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tfacme import networks, specs
from tfacme.agents import transitions
from tfacme.agents.iql.config import IQLConfig
from tfacme.agents.iql.networks import IQLNetworks
from tfacme.agents.iql.update import IQLUpdate
from tfacme.networks import checks


@dataclasses.dataclass(frozen=True)
class IQLBuilder(transitions.TransitionsBuilder):
  """IQL for choices, bounded continuous actions and nests of both: from recorded data, and on from there with actors.

  Attributes:
    config: its hyperparameters.
  """

  name: ClassVar[str] = 'IQL'
  config: IQLConfig = IQLConfig()

  def update(self, made: IQLNetworks, spec: specs.EnvironmentSpec) -> IQLUpdate:
    """Values of states, policy, critics."""
    return IQLUpdate(made, self.config, spec.actions)

  def checks_networks(self, made: IQLNetworks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless the networks fit the actions; creates their variables if need be."""
    checks.check_parts(self.name, made, IQLNetworks)
    checks.check_policy_and_critics(self.name, made, spec, networks.Gaussian)
    output = networks.create_variables(made.value, spec.observations)
    checks.check_output('The value network of IQL', output, (), 'a single value')


Builder = IQLBuilder
