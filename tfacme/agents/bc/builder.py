"""How BC is put together."""

from __future__ import annotations

import dataclasses

from tfacme import core, errors, networks, specs
from tfacme.agents.bc.config import BCConfig
from tfacme.agents.bc.networks import BCNetworks
from tfacme.agents.bc.update import BCUpdate
from tfacme.networks import checks
from tfacme.replay import sources
from tfacme.replay.items import Items


@dataclasses.dataclass(frozen=True)
class BCBuilder(core.Builder):
  """Behaviour cloning of choices, of bounded continuous actions and of nests of both, from recorded data alone.

  Attributes:
    config: its hyperparameters.
  """

  config: BCConfig = BCConfig()

  def check(self, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless there are actions that it can learn with its loss."""
    if self.config.loss == 'mse' and specs.is_discrete(spec.actions):
      raise errors.UserError('The squared error of a discrete action means nothing; set loss to log_likelihood.')
    if self.config.loss == 'mse' and not specs.is_continuous(spec.actions):
      raise errors.UserError('The squared error is for a single vector of actions; set loss to log_likelihood.')
    specs.check_actions('BC', spec.actions)

  def source(self, spec: specs.EnvironmentSpec) -> sources.Source:
    """Transitions of the experiment's data set."""
    items = Items(length=2, observations='ends')
    return sources.Data(items, self.config.batch_size, rewards=False)

  def policy(self, made: BCNetworks, spec: specs.EnvironmentSpec, evaluation: bool) -> networks.NetworkPolicy:
    """The mode of the network's distribution; there is nothing to explore."""
    return networks.NetworkPolicy(made.policy, networks.Mode(spec.actions))

  def update(self, made: BCNetworks, spec: specs.EnvironmentSpec) -> BCUpdate:
    """Supervised learning."""
    return BCUpdate(made, self.config, spec.actions)

  def checks_networks(self, made: BCNetworks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless the network's distribution fits the actions; creates its variables if need be."""
    checks.check_parts('BC', made, BCNetworks)
    output = networks.create_variables(made.policy, spec.observations)
    checks.check_actions('The policy network of BC', output, spec.actions)


Builder = BCBuilder
