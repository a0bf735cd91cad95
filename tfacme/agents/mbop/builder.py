"""How MBOP is put together."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Sequence

from tfacme import core, errors, networks, specs
from tfacme.agents.mbop import networks as mbop_networks
from tfacme.agents.mbop.config import MBOPConfig
from tfacme.agents.mbop.model import MBOPModel
from tfacme.agents.mbop.networks import MBOPNetworks
from tfacme.agents.mbop.update import MBOPUpdate
from tfacme.networks import checks
from tfacme.replay import relabelling, sources, tables
from tfacme.replay.items import Items


@dataclasses.dataclass(frozen=True)
class MBOPBuilder(core.Builder):
  """MBOP for observations and bounded actions that are vectors of real numbers, or nests of those.

  Attributes:
    config: its hyperparameters.
  """

  variable_period: ClassVar[int] = 1  # An action costs far more than to ask for variables.
  config: MBOPConfig = MBOPConfig()

  def check(self, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless it can predict the observations and plan the actions, and there is one reward."""
    specs.check_actions('MBOP', spec.actions, choices=False)
    specs.check_vectors('MBOP', spec.observations)
    specs.check_scalar_reward('MBOP', spec.rewards)

  def tables(self, spec: specs.EnvironmentSpec) -> Sequence[tables.Table]:
    """One table of transitions, sampled uniformly."""
    return [tables.paced(Items(length=2), self.config)]

  def source(self, spec: specs.EnvironmentSpec) -> sources.Source:
    """Batches of its table."""
    return sources.Sample('replay', self.config.batch_size)

  def relabel(self, spec: specs.EnvironmentSpec) -> core.Relabel:
    """Adds the action before each row, and the sum of the rewards behind it."""
    previous = relabelling.previous_actions(spec.actions)
    return relabelling.in_order(previous, relabelling.returns_ahead(self.config.horizon))

  def policy(self, made: MBOPNetworks, spec: specs.EnvironmentSpec, evaluation: bool) -> networks.PlanningPolicy:
    """The planner, which explores by nothing but what it draws for its plans."""
    return networks.PlanningPolicy(MBOPModel(made, self.config.horizon), self._planner(), spec.actions)

  def update(self, made: MBOPNetworks, spec: specs.EnvironmentSpec) -> MBOPUpdate:
    """Supervised learning of the three models."""
    return MBOPUpdate(made, self.config, spec.actions)

  def checks_networks(self, made: MBOPNetworks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless the networks fit the environment; creates their variables if need be."""
    checks.check_parts('MBOP', made, MBOPNetworks)
    _, sizes = mbop_networks.sizes(spec)
    for name in sizes:
      found = getattr(made, name)
      if not isinstance(found, networks.EnsembleRegressor):
        kind = type(found).__name__
        raise errors.UserError(f'The {name} of MBOP is a {kind}, and has to be a networks.EnsembleRegressor.')
    members = made.world_model.members
    for name, output in mbop_networks.create_variables(made, spec).items():
      if output.shape != (members, 1, sizes[name]):
        raise errors.UserError(
          f'The {name} of MBOP returns {output.shape} for an input, and has to return {(members, 1, sizes[name])}: of '
          f'each of {members} members, as many as the world model has, {sizes[name]} numbers.'
        )
    if self.config.trajectories % members:
      raise errors.UserError(
        f'trajectories is {self.config.trajectories}, and has to be a multiple of {members}, the members of an '
        'ensemble: each of them imagines as many.'
      )

  def _planner(self) -> networks.MPPI:
    config = self.config
    return networks.MPPI(config.horizon, config.trajectories, config.sigma, config.beta, config.kappa)


Builder = MBOPBuilder
