"""How SAC is put together."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Sequence

from tfacme import core, errors, specs
from tfacme.agents.sac.config import SACConfig
from tfacme.agents.sac.networks import SACNetworks
from tfacme.agents.sac.policy import SACPolicy
from tfacme.agents.sac.update import SACUpdate
from tfacme.networks import checks, distributions, seeding
from tfacme.replay import sources, tables
from tfacme.replay.items import Items


@dataclasses.dataclass(frozen=True)
class SACBuilder(core.Builder):
  """SAC for environments with a vector of bounded continuous actions.

  Attributes:
    config: its numbers.
  """

  variable_period: ClassVar[int] = 1  # It learns once for each step, so ten steps would be ten versions of the policy.

  config: SACConfig = SACConfig()

  def check(self, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless there is a vector of continuous actions with finite bounds, and a single reward."""
    specs.check_bounded_vector('SAC', spec.actions)
    specs.check_scalar_reward('SAC', spec.rewards)

  def tables(self, spec: specs.EnvironmentSpec) -> Sequence[tables.Table]:
    """One table of n-step transitions, sampled uniformly."""
    config = self.config
    limiter = tables.tolerant_ratio(
      config.samples_per_insert, config.samples_per_insert_tolerance, config.min_replay_size, config.batch_size
    )
    return [tables.Table(Items(length=config.n_step + 1, observations='ends'), limiter, config.max_replay_size)]

  def source(self, spec: specs.EnvironmentSpec) -> sources.Source:
    """Batches of its table."""
    return sources.Sample('replay', self.config.batch_size)

  def policy(self, networks: SACNetworks, spec: specs.EnvironmentSpec, evaluation: bool) -> SACPolicy:
    """A sample of the policy's distribution, or its mode."""
    return SACPolicy(networks.policy, self.config.random_steps, spec.actions, evaluation)

  def update(self, networks: SACNetworks, spec: specs.EnvironmentSpec) -> SACUpdate:
    """Critics, policy, temperature."""
    return SACUpdate(networks, self.config, spec.actions)

  def checks_networks(self, networks: SACNetworks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless policy and critics fit the actions; creates their variables if need be."""
    checks.check_parts('SAC', networks, SACNetworks)
    if not networks.critics:
      raise errors.UserError('SAC needs at least one critic, and these networks have none.')
    output, shape = seeding.create_variables(networks.policy, spec.observations), spec.actions.shape
    meaning = f'a distribution of {shape[0]} actions'
    checks.check_distribution('The policy network of SAC', output, distributions.TanhGaussian, shape, meaning)
    for critic in networks.critics:
      value = seeding.create_variables(critic, spec.observations, spec.actions)
      checks.check_output('A critic of SAC', value, (), 'a single value')


Builder = SACBuilder
