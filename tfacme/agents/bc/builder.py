"""How BC is put together."""

from __future__ import annotations

import dataclasses

from tfacme import core, errors, specs
from tfacme.agents.bc.config import BCConfig
from tfacme.agents.bc.networks import BCNetworks
from tfacme.agents.bc.update import BCUpdate
from tfacme.networks import checks, policies, seeding
from tfacme.replay import sources
from tfacme.replay.items import Items


@dataclasses.dataclass(frozen=True)
class BCBuilder(core.Builder):
  """Behaviour cloning of a single discrete action or a vector of bounded continuous ones, from recorded data alone.

  Attributes:
    config: its numbers.
  """

  config: BCConfig = BCConfig()

  def check(self, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless there are actions that it can learn with its loss."""
    if not specs.is_discrete(spec.actions):
      specs.check_bounded_vector('BC (of actions that are not discrete)', spec.actions)
    elif self.config.loss == 'mse':
      raise errors.UserError('The squared error of a discrete action means nothing; set loss to log_likelihood.')

  def source(self, spec: specs.EnvironmentSpec) -> sources.Source:
    """Transitions of the experiment's data set."""
    items = Items(length=2, observations='ends')
    return sources.Data(items, self.config.batch_size, shuffle_bytes=self.config.shuffle_bytes)

  def policy(self, networks: BCNetworks, spec: specs.EnvironmentSpec, evaluation: bool) -> policies.DistributionPolicy:
    """The mode of the network's distribution."""
    del evaluation  # There is nothing to explore.
    return policies.DistributionPolicy(networks.policy, spec.actions, mode=True)

  def update(self, networks: BCNetworks, spec: specs.EnvironmentSpec) -> BCUpdate:
    """Supervised learning."""
    return BCUpdate(networks, self.config, spec.actions)

  def checks_networks(self, networks: BCNetworks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless the network's distribution fits the actions; creates its variables if need be."""
    checks.check_parts('BC', networks, BCNetworks)
    output = seeding.create_variables(networks.policy, spec.observations)
    checks.check_actions('The policy network of BC', output, spec.actions)


Builder = BCBuilder
