"""How SAC is put together."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Sequence

from tfacme import core, networks, specs
from tfacme.agents.sac.config import SACConfig
from tfacme.agents.sac.networks import SACNetworks
from tfacme.agents.sac.update import SACUpdate
from tfacme.networks import checks
from tfacme.replay import sources, tables
from tfacme.replay.items import Items


@dataclasses.dataclass(frozen=True)
class SACBuilder(core.Builder):
  """SAC for environments with bounded continuous actions, or nests of those.

  Attributes:
    config: its hyperparameters.
  """

  variable_period: ClassVar[int] = 1  # It learns once for each step, so ten steps would be ten versions of the policy.
  config: SACConfig = SACConfig()

  def check(self, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless there are continuous actions with finite bounds, and a single reward."""
    specs.check_actions('SAC', spec.actions, choices=False)
    specs.check_scalar_reward('SAC', spec.rewards)

  def tables(self, spec: specs.EnvironmentSpec) -> Sequence[tables.Table]:
    """One table of n-step transitions, sampled uniformly."""
    return [tables.paced(Items(length=self.config.n_step + 1, observations='ends'), self.config)]

  def source(self, spec: specs.EnvironmentSpec) -> sources.Source:
    """Batches of its table."""
    return sources.Sample('replay', self.config.batch_size)

  def policy(self, made: SACNetworks, spec: specs.EnvironmentSpec, evaluation: bool) -> networks.NetworkPolicy:
    """A sample of the policy's distribution, at first uniform ones; an evaluation takes the mode."""
    sample = networks.Sample(spec.actions, extras=False, random_steps=self.config.random_steps)
    return networks.NetworkPolicy(made.policy, networks.Mode(spec.actions) if evaluation else sample)

  def update(self, made: SACNetworks, spec: specs.EnvironmentSpec) -> SACUpdate:
    """Critics, policy, temperature."""
    return SACUpdate(made, self.config, spec.actions)

  def checks_networks(self, made: SACNetworks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless policy and critics fit the actions; creates their variables if need be."""
    checks.check_policy_and_critics('SAC', made, spec, networks.TanhGaussian)


Builder = SACBuilder
