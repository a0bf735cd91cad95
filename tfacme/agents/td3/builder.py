"""How TD3 is put together."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Optional, Sequence

from tfacme import core, networks, specs
from tfacme.agents.td3.config import TD3Config
from tfacme.agents.td3.networks import TD3Networks
from tfacme.agents.td3.update import TD3Update
from tfacme.losses import deterministic
from tfacme.networks import checks
from tfacme.replay import sources, tables
from tfacme.replay.items import Items


@dataclasses.dataclass(frozen=True)
class TD3Builder(core.Builder):
  """TD3 for environments with bounded continuous actions, or nests of those.

  Attributes:
    config: its hyperparameters.
    policy_loss: what the policy minimizes, a `losses.deterministic.Variant`; None is minus the value of its actions.
  """

  name: ClassVar[str] = 'TD3'  # in errors
  variable_period: ClassVar[int] = 1  # It learns once for each step, so ten steps would be ten versions of the policy.
  config: TD3Config = TD3Config()
  policy_loss: Optional[deterministic.Variant] = None

  def check(self, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless there are continuous actions with finite bounds, and a single reward."""
    specs.check_actions(self.name, spec.actions, choices=False)
    specs.check_scalar_reward(self.name, spec.rewards)

  def tables(self, spec: specs.EnvironmentSpec) -> Sequence[tables.Table]:
    """One table of n-step transitions, sampled uniformly."""
    return [tables.paced(Items(length=self.config.n_step + 1, observations='ends'), self.config)]

  def source(self, spec: specs.EnvironmentSpec) -> sources.Source:
    """Batches of its table."""
    return sources.Sample('replay', self.config.batch_size)

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
