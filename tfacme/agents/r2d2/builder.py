"""How R2D2 is put together."""

from __future__ import annotations

import dataclasses
from typing import Optional, Sequence

from tfacme import core, networks, specs
from tfacme.agents.r2d2.config import R2D2Config
from tfacme.agents.r2d2.networks import R2D2Networks
from tfacme.agents.r2d2.update import R2D2Update
from tfacme.losses import q_learning
from tfacme.networks import checks
from tfacme.replay import sources, tables


@dataclasses.dataclass(frozen=True)
class R2D2Builder(core.Builder):
  """R2D2 for environments with a single discrete action.

  Attributes:
    config: its hyperparameters.
    loss: a variant of Q-learning along sequences, a `losses.q_learning.SequenceQLoss` and not the kind that DQN takes;
      None is double Q-learning.
    explore: picks actions by their values, see `networks.Explore`; None is epsilon-greedy as the config has it.
  """

  config: R2D2Config = R2D2Config()
  loss: Optional[q_learning.SequenceQLoss] = None
  explore: Optional[networks.Explore] = None

  def check(self, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless there is a single discrete action, and a single reward."""
    specs.check_discrete('R2D2', spec.actions)
    specs.check_scalar_reward('R2D2', spec.rewards)

  def tables(self, spec: specs.EnvironmentSpec) -> Sequence[tables.Table]:
    """One table of overlapping sequences, each with the state before its first row."""
    config = self.config
    return [tables.paced(tables.sequences(config), config, tables.sampler(config.priority_exponent))]

  def source(self, spec: specs.EnvironmentSpec) -> sources.Source:
    """Batches of its table."""
    return sources.Sample('replay', self.config.batch_size)

  def policy(self, made: R2D2Networks, spec: specs.EnvironmentSpec, evaluation: bool) -> networks.NetworkPolicy:
    """Epsilon-greedy, on a ladder of epsilons."""
    greedy = networks.EpsilonGreedy.of(self.config, evaluation)
    explore = greedy if evaluation or self.explore is None else self.explore
    return networks.NetworkPolicy(made.q, networks.ByValue(explore, spec.actions), stores_state=not evaluation)

  def update(self, made: R2D2Networks, spec: specs.EnvironmentSpec) -> R2D2Update:
    """Double Q-learning along sequences, or the variant that is given."""
    return R2D2Update(made, self.config, self.loss or q_learning.sequence_double_q_learning)

  def checks_networks(self, made: R2D2Networks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless the network has memory and fits the actions; creates its variables if need be."""
    checks.check_parts('R2D2', made, R2D2Networks)
    checks.check_memory('R2D2', made.q)
    checks.check_values('The Q network of R2D2', networks.create_unrolled(made.q, spec.observations), spec.actions)


Builder = R2D2Builder
