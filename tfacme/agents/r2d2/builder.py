"""How R2D2 is put together."""

from __future__ import annotations

import dataclasses
from typing import Sequence

import tensorflow as tf

from tfacme import core, errors, specs
from tfacme.agents.r2d2.config import R2D2Config
from tfacme.agents.r2d2.networks import R2D2Networks
from tfacme.agents.r2d2.policy import R2D2Policy
from tfacme.agents.r2d2.update import R2D2Update
from tfacme.networks import checks, seeding
from tfacme.replay import sources, tables
from tfacme.replay.items import Items


@dataclasses.dataclass(frozen=True)
class R2D2Builder(core.Builder):
  """R2D2 for environments with a single discrete action.

  Attributes:
    config: its numbers.
  """

  config: R2D2Config = R2D2Config()

  def check(self, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless there is a single discrete action, and a single reward."""
    specs.check_discrete('R2D2', spec.actions)
    specs.check_scalar_reward('R2D2', spec.rewards)

  def tables(self, spec: specs.EnvironmentSpec) -> Sequence[tables.Table]:
    """One table of overlapping sequences, each with the state before its first row."""
    config = self.config
    length = config.burn_in + config.trace_length + 1
    sequences = Items(length=length, period=config.sequence_period, once=['state'], end='pad')
    limiter = tables.tolerant_ratio(
      config.samples_per_insert, config.samples_per_insert_tolerance, config.min_replay_size, config.batch_size
    )
    sampler = tables.sampler(config.priority_exponent)
    return [tables.Table(sequences, limiter, config.max_replay_size, sampler=sampler)]

  def source(self, spec: specs.EnvironmentSpec) -> sources.Source:
    """Batches of its table."""
    return sources.Sample('replay', self.config.batch_size)

  def policy(self, networks: R2D2Networks, spec: specs.EnvironmentSpec, evaluation: bool) -> R2D2Policy:
    """Epsilon-greedy, on a ladder of epsilons."""
    return R2D2Policy(networks.q, self.config, spec.actions, evaluation)

  def update(self, networks: R2D2Networks, spec: specs.EnvironmentSpec) -> R2D2Update:
    """Recurrent double Q-learning."""
    return R2D2Update(networks, self.config)

  def checks_networks(self, networks: R2D2Networks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless the network has memory and fits the actions; creates its variables if need be."""
    checks.check_parts('R2D2', networks, R2D2Networks)
    state = getattr(networks.q, 'initial_state', lambda batch_size: ())(1)
    if not tf.nest.flatten(state):
      raise errors.UserError('R2D2 needs a network with a recurrent state, and this one has none; DQN needs none.')
    actions = spec.actions.num_values
    output = seeding.create_unrolled(networks.q, spec.observations)
    checks.check_output('The Q network of R2D2', output, (actions,), f'{actions} values, one for each action')


Builder = R2D2Builder
