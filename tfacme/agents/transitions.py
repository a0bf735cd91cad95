"""What the builders of actor-critics have in common that learn from transitions in a replay."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Sequence

from tfacme import core, networks, specs
from tfacme.replay import sources, tables
from tfacme.replay.items import Items


@dataclasses.dataclass(frozen=True)
class TransitionsBuilder(core.Builder):
  """An agent with a single table of n-step transitions, sampled uniformly; a base, whose config says how many.

  Attributes:
    name: of the agent, in errors.
    choices: whether its policy takes discrete actions too, or bounded continuous ones alone.
    config: a `configs.ReplayConfig` that is a `configs.NStepConfig` too.
  """

  name: ClassVar[str]
  choices: ClassVar[bool] = True
  variable_period: ClassVar[int] = 1  # It learns once for each step, so ten steps would be ten versions of the policy.
  config: Any

  def check(self, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless its policy can take the actions, and there is a single reward."""
    specs.check_actions(self.name, spec.actions, choices=self.choices)
    specs.check_scalar_reward(self.name, spec.rewards)

  def tables(self, spec: specs.EnvironmentSpec) -> Sequence[tables.Table]:
    """One table of n-step transitions, sampled uniformly."""
    return [tables.paced(Items(length=self.config.n_step + 1, observations='ends'), self.config)]

  def source(self, spec: specs.EnvironmentSpec) -> sources.Source:
    """Batches of its table."""
    return sources.Sample('replay', self.config.batch_size)

  def policy(self, made: networks.PolicyAndCritics, spec: specs.EnvironmentSpec, evaluation: bool) -> core.Policy:
    """A sample of the policy's distribution; an evaluation takes the mode."""
    choose = networks.Mode(spec.actions) if evaluation else networks.Sample(spec.actions, extras=False)
    return networks.NetworkPolicy(made.policy, choose)
