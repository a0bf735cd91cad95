"""How CRR is put together."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Sequence

from tfacme import core, networks, specs
from tfacme.agents.crr.config import CRRConfig
from tfacme.agents.crr.networks import CRRNetworks
from tfacme.agents.crr.update import CRRUpdate
from tfacme.networks import checks
from tfacme.replay import sources, tables
from tfacme.replay.items import Items


@dataclasses.dataclass(frozen=True)
class CRRBuilder(core.Builder):
  """CRR for choices, bounded continuous actions and nests of both: from recorded data, and on from there with actors.

  Attributes:
    config: its hyperparameters.
  """

  variable_period: ClassVar[int] = 1  # It learns once for each step, so ten steps would be ten versions of the policy.
  config: CRRConfig = CRRConfig()

  def check(self, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless its policy can take the actions, and there is a single reward."""
    specs.check_actions('CRR', spec.actions)
    specs.check_scalar_reward('CRR', spec.rewards)

  def tables(self, spec: specs.EnvironmentSpec) -> Sequence[tables.Table]:
    """One table of n-step transitions, sampled uniformly."""
    return [tables.paced(Items(length=self.config.n_step + 1, observations='ends'), self.config)]

  def source(self, spec: specs.EnvironmentSpec) -> sources.Source:
    """Batches of its table."""
    return sources.Sample('replay', self.config.batch_size)

  def policy(self, made: CRRNetworks, spec: specs.EnvironmentSpec, evaluation: bool) -> networks.NetworkPolicy:
    """A sample of the policy's distribution; an evaluation takes the mode."""
    choose = networks.Mode(spec.actions) if evaluation else networks.Sample(spec.actions, extras=False)
    return networks.NetworkPolicy(made.policy, choose)

  def update(self, made: CRRNetworks, spec: specs.EnvironmentSpec) -> CRRUpdate:
    """Critics and policy."""
    return CRRUpdate(made, self.config, spec.actions)

  def checks_networks(self, made: CRRNetworks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless policy and critics fit the actions; creates their variables if need be."""
    checks.check_policy_and_critics('CRR', made, spec, networks.Gaussian)


Builder = CRRBuilder
