"""How DQN is put together."""

from __future__ import annotations

import dataclasses
from typing import Sequence

from tfacme import core, specs
from tfacme.agents.dqn.config import DQNConfig
from tfacme.agents.dqn.networks import DQNNetworks
from tfacme.agents.dqn.policy import DQNPolicy
from tfacme.agents.dqn.update import DQNUpdate
from tfacme.networks import checks, seeding
from tfacme.replay import sources, tables
from tfacme.replay.items import Items


@dataclasses.dataclass(frozen=True)
class DQNBuilder(core.Builder):
  """DQN for environments with a single discrete action.

  Attributes:
    config: its numbers.
  """

  config: DQNConfig = DQNConfig()

  def check(self, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless there is a single discrete action, and a single reward."""
    specs.check_discrete('DQN', spec.actions)
    specs.check_scalar_reward('DQN', spec.rewards)

  def tables(self, spec: specs.EnvironmentSpec) -> Sequence[tables.Table]:
    """One table of n-step transitions."""
    config = self.config
    limiter = tables.tolerant_ratio(
      config.samples_per_insert, config.samples_per_insert_tolerance, config.min_replay_size, config.batch_size
    )
    sampler = tables.sampler(config.priority_exponent)
    items = Items(length=config.n_step + 1, observations='ends')
    return [tables.Table(items, limiter, config.max_replay_size, sampler=sampler)]

  def source(self, spec: specs.EnvironmentSpec) -> sources.Source:
    """Batches of its table."""
    return sources.Sample('replay', self.config.batch_size)

  def policy(self, networks: DQNNetworks, spec: specs.EnvironmentSpec, evaluation: bool) -> DQNPolicy:
    """Epsilon-greedy."""
    return DQNPolicy(networks.q, self.config, spec.actions, evaluation)

  def update(self, networks: DQNNetworks, spec: specs.EnvironmentSpec) -> DQNUpdate:
    """Double Q-learning."""
    return DQNUpdate(networks, self.config)

  def checks_networks(self, networks: DQNNetworks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless the network gives one value for each action; creates its variables if need be."""
    checks.check_parts('DQN', networks, DQNNetworks)
    output = seeding.create_variables(networks.q, spec.observations)
    actions = spec.actions.num_values
    checks.check_output('The Q network of DQN', output, (actions,), f'{actions} values, one for each action')


Builder = DQNBuilder
