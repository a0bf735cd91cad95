"""How SAC is put together."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tfacme import errors, networks, specs
from tfacme.agents import transitions
from tfacme.agents.sac.config import SACConfig
from tfacme.agents.sac.networks import SACNetworks
from tfacme.agents.sac.update import SACUpdate
from tfacme.networks import checks


@dataclasses.dataclass(frozen=True)
class SACBuilder(transitions.TransitionsBuilder):
  """SAC for environments with bounded continuous actions, or nests of those.

  Attributes:
    config: its hyperparameters.
  """

  name: ClassVar[str] = 'SAC'
  choices: ClassVar[bool] = False
  config: SACConfig = SACConfig()

  def policy(self, made: SACNetworks, spec: specs.EnvironmentSpec, evaluation: bool) -> networks.NetworkPolicy:
    """A sample of the policy's distribution, at first uniform ones; an evaluation takes the mode."""
    sample = networks.Sample(spec.actions, extras=False, random_steps=self.config.random_steps)
    return networks.NetworkPolicy(made.policy, networks.Mode(spec.actions) if evaluation else sample)

  def update(self, made: SACNetworks, spec: specs.EnvironmentSpec) -> SACUpdate:
    """Critics, policy, temperature."""
    return SACUpdate(made, self.config, spec.actions)

  def checks_networks(self, made: SACNetworks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless policy and critics fit the actions; creates their variables if need be."""
    checks.check_policy_and_critics(self.name, made, spec, networks.TanhGaussian)
    if (self.config.target_critics or 0) > len(made.critics):
      raise errors.UserError(
        f'target_critics is {self.config.target_critics}, and these networks have {len(made.critics)} critics to draw '
        'from; make more of them (--networks.critics), or draw fewer.'
      )


Builder = SACBuilder
