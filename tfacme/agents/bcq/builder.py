"""How BCQ is put together."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Tuple

import tensorflow as tf

from tfacme import core, networks, specs
from tfacme.agents import dqn
from tfacme.agents.bcq.config import BCQConfig
from tfacme.agents.bcq.networks import BCQNetworks
from tfacme.agents.bcq.update import BatchConstrained, BCQNetwork, ValuesAndBehaviour
from tfacme.losses import q_learning
from tfacme.networks import checks


@dataclasses.dataclass(frozen=True)
class BCQBuilder(dqn.DQNBuilder):
  """BCQ for environments with a single discrete action: from recorded data, and on from there with actors.

  Attributes:
    config: its hyperparameters.
    loss: a variant of `BatchConstrained`, of networks that return `ValuesAndBehaviour`; None is that, as the config has
      it.
    explore: picks actions by their values, of which unlikely ones have lowered ones; None is epsilon-greedy as the
      config has it.
  """

  name: ClassVar[str] = 'BCQ'
  config: BCQConfig = BCQConfig()

  def policy(self, made: BCQNetworks, spec: specs.EnvironmentSpec, evaluation: bool) -> networks.NetworkPolicy:
    """Explores by the values of likely actions, or takes the one of the highest."""
    choose = ByConstrainedValue(self.by_value(spec, evaluation), self.config.threshold)
    return networks.NetworkPolicy(BCQNetwork(made), choose)

  def update(self, made: BCQNetworks, spec: specs.EnvironmentSpec) -> dqn.DQNUpdate:
    """DQN's, of all networks as one."""
    return dqn.DQNUpdate(dqn.DQNNetworks(BCQNetwork(made)), self.config, self.q_loss())

  def q_loss(self) -> q_learning.QLoss:
    """The variant that it was given, or Q-learning among likely actions as the config has it."""
    config = self.config
    own = BatchConstrained(config.threshold, config.logit_cost, config.double, config.huber_delta)
    return self.loss or own

  def checks_networks(self, made: BCQNetworks, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` unless the networks fit the actions; creates their variables if need be."""
    checks.check_parts(self.name, made, BCQNetworks)
    output = networks.create_variables(BCQNetwork(made), spec.observations)
    checks.check_values(f'The Q network of {self.name}', output.q, spec.actions)
    checks.check_actions(f'The behaviour network of {self.name}', output.behaviour, spec.actions)


@dataclasses.dataclass(frozen=True)
class ByConstrainedValue:
  """The action that another choice makes by values, of which those of unlikely actions are lowered.

  Attributes:
    choose: by values [B, A].
    threshold: as of `ValuesAndBehaviour.likely`.
  """

  choose: networks.ByValue
  threshold: float

  def __call__(self, output: ValuesAndBehaviour, context: core.Context) -> Tuple[tf.Tensor, core.Nest]:
    """See `networks.Choose`; there are no extras."""
    return self.choose(output.constrained(self.threshold), context)


Builder = BCQBuilder
