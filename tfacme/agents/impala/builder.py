"""How IMPALA is put together."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Sequence

from tfacme import core, networks, specs
from tfacme.agents.impala.config import IMPALAConfig
from tfacme.agents.impala.networks import IMPALANetworks
from tfacme.agents.impala.update import IMPALAUpdate
from tfacme.networks import checks
from tfacme.replay import sources, tables


@dataclasses.dataclass(frozen=True)
class IMPALABuilder(core.Builder):
  """IMPALA for environments with choices, with bounded continuous actions, or with nests of both.

  Attributes:
    config: its hyperparameters.
  """

  variable_period: ClassVar[int] = 1  # Actors should act with recent variables.
  config: IMPALAConfig = IMPALAConfig()

  def check(self, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless there is a single reward, and actions that have a distribution."""
    specs.check_actions('IMPALA', spec.actions)
    specs.check_scalar_reward('IMPALA', spec.rewards)

  def tables(self, spec: specs.EnvironmentSpec) -> Sequence[tables.Table]:
    """A queue of segments, which run on from one episode into the next."""
    return [tables.queue(tables.segments(self.config.unroll_length, once=['state']), self.config.queue_size)]

  def source(self, spec: specs.EnvironmentSpec) -> sources.Source:
    """Batches of its queue."""
    return sources.Sample('queue', self.config.batch_size)

  def policy(self, made: IMPALANetworks, spec: specs.EnvironmentSpec, evaluation: bool) -> networks.NetworkPolicy:
    """A sample of the policy's distribution, or its mode."""
    choose = (networks.Mode if evaluation else networks.Sample)(spec.actions)
    return networks.NetworkPolicy(made.policy_and_value, choose, stores_state=not evaluation)

  def update(self, made: IMPALANetworks, spec: specs.EnvironmentSpec) -> IMPALAUpdate:
    """V-trace actor-critic."""
    return IMPALAUpdate(made, self.config)

  def checks_networks(self, made: IMPALANetworks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless the network fits the environment; creates its variables if need be."""
    checks.check_parts('IMPALA', made, IMPALANetworks)
    output = networks.create_unrolled(made.policy_and_value, spec.observations)
    checks.check_actions('The policy of the network of IMPALA', getattr(output, 'policy', output), spec.actions)
    value = getattr(output, 'value', None)
    checks.check_output('The value of the network of IMPALA', value, (), 'a single value')


Builder = IMPALABuilder
