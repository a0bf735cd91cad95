"""How TD3 is put together."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Optional

from tfacme import networks, specs
from tfacme.agents import transitions
from tfacme.agents.td3.config import TD3Config
from tfacme.agents.td3.networks import TD3Networks
from tfacme.agents.td3.update import TD3Update
from tfacme.losses import deterministic
from tfacme.networks import checks


@dataclasses.dataclass(frozen=True)
class TD3Builder(transitions.TransitionsBuilder):
  """TD3 for environments with bounded continuous actions, or nests of those.

  Attributes:
    config: its hyperparameters.
    policy_loss: what the policy minimizes, a `losses.deterministic.Variant`; None is minus the value of its actions.
  """

  name: ClassVar[str] = 'TD3'
  choices: ClassVar[bool] = False
  config: TD3Config = TD3Config()
  policy_loss: Optional[deterministic.Variant] = None

  def policy(self, made: TD3Networks, spec: specs.EnvironmentSpec, evaluation: bool) -> networks.NetworkPolicy:
    """The policy's action with normal noise, at first uniform ones; an evaluation adds none."""
    noisy = networks.NoisyMode(spec.actions, self.config.noise, self.config.random_steps)
    return networks.NetworkPolicy(made.policy, networks.Mode(spec.actions) if evaluation else noisy)

  def update(self, made: TD3Networks, spec: specs.EnvironmentSpec) -> TD3Update:
    """Critics, and now and then the policy and the targets."""
    return TD3Update(made, self.config, spec.actions, self.policy_loss or deterministic.policy_gradient)

  def checks_networks(self, made: TD3Networks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless policy and critics fit the actions; creates their variables if need be."""
    checks.check_policy_and_critics(self.name, made, spec, networks.Deterministic)


Builder = TD3Builder
