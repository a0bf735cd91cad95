"""How DQN is put together."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Optional, Sequence

from tfacme import core, networks, specs
from tfacme.agents.dqn.config import DQNConfig
from tfacme.agents.dqn.networks import DQNNetworks
from tfacme.agents.dqn.update import DQNUpdate
from tfacme.losses import q_learning
from tfacme.networks import checks
from tfacme.replay import sources, tables
from tfacme.replay.items import Items


@dataclasses.dataclass(frozen=True)
class DQNBuilder(core.Builder):
  """DQN for environments with a single discrete action, and whatever else learns action values from transitions.

  Attributes:
    config: its hyperparameters.
    loss: a variant of Q-learning, see `losses.q_learning`; None is double Q-learning as the config has it.
    explore: picks actions by their values, see `networks.Explore`; None is epsilon-greedy as the config has it.
  """

  name: ClassVar[str] = 'DQN'  # in errors
  config: DQNConfig = DQNConfig()
  loss: Optional[q_learning.QLoss] = None
  explore: Optional[networks.Explore] = None

  def check(self, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless there is a single discrete action, and a single reward."""
    specs.check_discrete(self.name, spec.actions)
    specs.check_scalar_reward(self.name, spec.rewards)

  def tables(self, spec: specs.EnvironmentSpec) -> Sequence[tables.Table]:
    """One table of n-step transitions."""
    items = Items(length=self.config.n_step + 1, observations='ends')
    return [tables.paced(items, self.config, tables.sampler(self.config.priority_exponent))]

  def source(self, spec: specs.EnvironmentSpec) -> sources.Source:
    """Batches of its table."""
    return sources.Sample('replay', self.config.batch_size)

  def policy(self, made: DQNNetworks, spec: specs.EnvironmentSpec, evaluation: bool) -> networks.NetworkPolicy:
    """Explores by the values, or takes (nearly always) the action of the highest."""
    return networks.NetworkPolicy(made.q, self.by_value(spec, evaluation))

  def by_value(self, spec: specs.EnvironmentSpec, evaluation: bool) -> networks.ByValue:
    """How an action is chosen by the values of all."""
    greedy = networks.EpsilonGreedy.of(self.config, evaluation)
    explore = greedy if evaluation or self.explore is None else self.explore
    return networks.ByValue(explore, spec.actions)

  def update(self, made: DQNNetworks, spec: specs.EnvironmentSpec) -> DQNUpdate:
    """Q-learning, or the variant that is given."""
    return DQNUpdate(made, self.config, self.q_loss())

  def q_loss(self) -> q_learning.QLoss:
    """The variant of Q-learning that it was given, or double Q-learning as the config has it."""
    return self.loss or q_learning.DoubleQLearning(self.config.double, self.config.huber_delta)

  def checks_networks(self, made: DQNNetworks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless the network gives one value for each action; creates its variables if need be."""
    checks.check_parts(self.name, made, DQNNetworks)
    output = networks.create_variables(made.q, spec.observations)
    checks.check_values(f'The Q network of {self.name}', output, spec.actions)


Builder = DQNBuilder
