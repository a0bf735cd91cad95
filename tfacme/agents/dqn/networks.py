"""The networks of DQN, and the default ways to make them from an environment's spec."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Sequence

from tfacme import networks, specs

if TYPE_CHECKING:
  import sonnet as snt


@dataclasses.dataclass(frozen=True)
class DQNNetworks:
  """What DQN learns.

  Attributes:
    q: a module from a nest of observations [B, ...] to the values of all actions, float32 [B, A].
  """

  q: snt.Module


@dataclasses.dataclass(frozen=True)
class mlp_networks:  # pylint: disable=invalid-name  # Used as a function: it makes a factory that can be pickled.
  """Makes fully connected networks over the flattened observation.

  Attributes:
    hidden_sizes: units of each hidden layer.
    duelling: whether values are split into a state's and the actions' (Wang et al. 2016).
    activation: after each hidden layer.
  """

  hidden_sizes: Sequence[int] = (64, 64)
  duelling: bool = False
  activation: networks.Activation = 'relu'

  def __call__(self, spec: specs.EnvironmentSpec) -> DQNNetworks:
    """The networks, with their variables."""
    torso = networks.mlp_torso(spec.observations, self.hidden_sizes, self.activation)
    return _with_head(torso, spec, self.duelling)


@dataclasses.dataclass(frozen=True)
class default_networks(networks.TorsoOptions):  # pylint: disable=invalid-name  # Used as a function.
  """Makes networks that suit the observations: convolutions for images, fully connected layers for all else.

  Attributes:
    duelling: whether values are split into a state's and the actions' (Wang et al. 2016).
  """

  duelling: bool = False

  def __call__(self, spec: specs.EnvironmentSpec) -> DQNNetworks:
    """The networks, with their variables."""
    torso = self.torso(spec.observations)
    return _with_head(torso, spec, self.duelling)


def _with_head(torso: snt.Module, spec: specs.EnvironmentSpec, duelling: bool) -> DQNNetworks:
  import sonnet as snt  # It imports TensorFlow.

  q = snt.Sequential([torso, networks.q_head(spec.actions.num_values, duelling)])
  networks.create_variables(q, spec.observations)
  return DQNNetworks(q)
