"""How IMPALA is put together."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Sequence

from tfacme import core, specs
from tfacme.agents.impala.config import IMPALAConfig
from tfacme.agents.impala.networks import IMPALANetworks
from tfacme.agents.impala.policy import IMPALAPolicy
from tfacme.agents.impala.update import IMPALAUpdate
from tfacme.networks import checks, distributions, seeding
from tfacme.replay import sources, tables
from tfacme.replay.items import Items


@dataclasses.dataclass(frozen=True)
class IMPALABuilder(core.Builder):
  """IMPALA for environments with a single discrete action.

  Attributes:
    config: its numbers.
  """

  variable_period: ClassVar[int] = 1  # What acts should be little older than what learns.

  config: IMPALAConfig = IMPALAConfig()

  def check(self, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless there is a single discrete action, and a single reward."""
    specs.check_discrete('IMPALA', spec.actions)
    specs.check_scalar_reward('IMPALA', spec.rewards)

  def tables(self, spec: specs.EnvironmentSpec) -> Sequence[tables.Table]:
    """A queue of segments, which run on from one episode into the next."""
    length = self.config.unroll_length
    segments = Items(length=length + 1, period=length, once=['state'], end='continue')
    return [tables.queue(segments, self.config.queue_size)]

  def source(self, spec: specs.EnvironmentSpec) -> sources.Source:
    """Batches of its queue."""
    return sources.Sample('queue', self.config.batch_size)

  def policy(self, networks: IMPALANetworks, spec: specs.EnvironmentSpec, evaluation: bool) -> IMPALAPolicy:
    """A sample of the policy's distribution, or the likeliest action."""
    return IMPALAPolicy(networks.policy_and_value, spec.actions, evaluation)

  def update(self, networks: IMPALANetworks, spec: specs.EnvironmentSpec) -> IMPALAUpdate:
    """V-trace actor-critic."""
    return IMPALAUpdate(networks, self.config)

  def checks_networks(self, networks: IMPALANetworks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless the network fits the environment; creates its variables if need be."""
    checks.check_parts('IMPALA', networks, IMPALANetworks)
    output = seeding.create_unrolled(networks.policy_and_value, spec.observations)
    actions = spec.actions.num_values
    policy, value = getattr(output, 'policy', output), getattr(output, 'value', None)
    kind, meaning = distributions.Categorical, f'a distribution of {actions} actions'
    checks.check_distribution('The policy of the network of IMPALA', policy, kind, (actions,), meaning)
    checks.check_output('The value of the network of IMPALA', value, (), 'a single value')


Builder = IMPALABuilder
