"""How CRR is put together."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Sequence

from tfacme import core, networks, specs
from tfacme.agents import transitions
from tfacme.agents.crr.config import CRRConfig
from tfacme.agents.crr.networks import CRRNetworks
from tfacme.agents.crr.update import CRRUpdate
from tfacme.networks import checks
from tfacme.replay import tables


@dataclasses.dataclass(frozen=True)
class CRRBuilder(transitions.TransitionsBuilder):
  """CRR for choices, bounded continuous actions and nests of both: from recorded data, and on from there with actors.

  Attributes:
    config: its hyperparameters.
  """

  name: ClassVar[str] = 'CRR'
  config: CRRConfig = CRRConfig()

  @property
  def recurrent(self) -> bool:
    """Whether it learns from sequences, by networks with memory."""
    return self.config.trace_length is not None

  def tables(self, spec: specs.EnvironmentSpec) -> Sequence[tables.Table]:
    """One table of n-step transitions, or of sequences, sampled uniformly."""
    if not self.recurrent:
      return super().tables(spec)
    return [tables.paced(tables.sequences(self.config), self.config)]

  def policy(self, made: CRRNetworks, spec: specs.EnvironmentSpec, evaluation: bool) -> core.Policy:
    """A sample of the policy's distribution, which may have memory; an evaluation takes the mode."""
    if evaluation or not self.recurrent:
      return super().policy(made, spec, evaluation)
    return networks.NetworkPolicy(made.policy, networks.Sample(spec.actions, extras=False), stores_state=True)

  def update(self, made: CRRNetworks, spec: specs.EnvironmentSpec) -> CRRUpdate:
    """Critics and policy."""
    return CRRUpdate(made, self.config, spec.actions)

  def checks_networks(self, made: CRRNetworks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless policy and critics fit the actions; creates their variables if need be."""
    checks.check_policy_and_critics(self.name, made, spec, networks.Gaussian, memory=self.recurrent)


Builder = CRRBuilder
