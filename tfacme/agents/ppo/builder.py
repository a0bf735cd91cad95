"""How PPO is put together."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Sequence

from tfacme import core, networks, specs
from tfacme.agents.ppo.config import PPOConfig
from tfacme.agents.ppo.networks import PPONetworks
from tfacme.agents.ppo.update import PPOUpdate
from tfacme.networks import checks
from tfacme.replay import sources, tables


@dataclasses.dataclass(frozen=True)
class PPOBuilder(core.Builder):
  """PPO for environments with choices, with bounded continuous actions, or with nests of both.

  Attributes:
    config: its hyperparameters.
  """

  variable_period: ClassVar[int] = 1  # On-policy: the next segment is of the newest policy.
  config: PPOConfig = PPOConfig()

  def check(self, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless there is a single reward, and actions that have a distribution."""
    specs.check_actions('PPO', spec.actions)
    specs.check_scalar_reward('PPO', spec.rewards)

  def tables(self, spec: specs.EnvironmentSpec) -> Sequence[tables.Table]:
    """A queue of segments, which run on from one episode into the next, for one learning step and no more."""
    return [tables.queue(tables.segments(self.config.unroll_length), self.config.batch_size)]

  def source(self, spec: specs.EnvironmentSpec) -> sources.Source:
    """Batches of its queue."""
    return sources.Sample('queue', self.config.batch_size)

  def policy(self, made: PPONetworks, spec: specs.EnvironmentSpec, evaluation: bool) -> networks.NetworkPolicy:
    """A sample of the policy's distribution, or its mode."""
    return networks.NetworkPolicy(made.policy, (networks.Mode if evaluation else networks.Sample)(spec.actions))

  def update(self, made: PPONetworks, spec: specs.EnvironmentSpec) -> PPOUpdate:
    """Several epochs over a batch of segments."""
    return PPOUpdate(made, self.config)

  def checks_networks(self, made: PPONetworks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless policy and values fit the environment; creates their variables if need be."""
    checks.check_parts('PPO', made, PPONetworks)
    output = networks.create_variables(made.policy, spec.observations)
    checks.check_actions('The policy network of PPO', output, spec.actions)
    value = networks.create_variables(made.value, spec.observations)
    checks.check_output('The value network of PPO', value, (), 'a single value')


Builder = PPOBuilder
