"""How PPO is put together."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Sequence

from tfacme import core, specs
from tfacme.agents.ppo.config import PPOConfig
from tfacme.agents.ppo.networks import PPONetworks
from tfacme.agents.ppo.update import PPOUpdate
from tfacme.networks import checks, policies, seeding
from tfacme.replay import sources, tables
from tfacme.replay.items import Items


@dataclasses.dataclass(frozen=True)
class PPOBuilder(core.Builder):
  """PPO for environments with a single discrete action or a vector of bounded continuous ones.

  Attributes:
    config: its numbers.
  """

  variable_period: ClassVar[int] = 1  # On-policy: the next segment is of the newest policy.

  config: PPOConfig = PPOConfig()

  def check(self, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless there is a single reward, and a discrete action or a vector of bounded ones."""
    if not specs.is_discrete(spec.actions):
      specs.check_bounded_vector('PPO (for actions that are not discrete)', spec.actions)
    specs.check_scalar_reward('PPO', spec.rewards)

  def tables(self, spec: specs.EnvironmentSpec) -> Sequence[tables.Table]:
    """A queue of segments, which run on from one episode into the next, for one learning step and no more."""
    config = self.config
    segments = Items(length=config.unroll_length + 1, period=config.unroll_length, end='continue')
    return [tables.queue(segments, config.batch_size)]

  def source(self, spec: specs.EnvironmentSpec) -> sources.Source:
    """Batches of its queue."""
    return sources.Sample('queue', self.config.batch_size)

  def policy(self, networks: PPONetworks, spec: specs.EnvironmentSpec, evaluation: bool) -> policies.DistributionPolicy:
    """A sample of the policy's distribution, or its mode."""
    return policies.DistributionPolicy(networks.policy, spec.actions, mode=evaluation)

  def update(self, networks: PPONetworks, spec: specs.EnvironmentSpec) -> PPOUpdate:
    """Several epochs over a batch of segments."""
    return PPOUpdate(networks, self.config)

  def checks_networks(self, networks: PPONetworks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless policy and values fit the environment; creates their variables if need be."""
    checks.check_parts('PPO', networks, PPONetworks)
    output = seeding.create_variables(networks.policy, spec.observations)
    checks.check_actions('The policy network of PPO', output, spec.actions)
    value = seeding.create_variables(networks.value, spec.observations)
    checks.check_output('The value network of PPO', value, (), 'a single value')


Builder = PPOBuilder
