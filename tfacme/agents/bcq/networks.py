"""The networks of BCQ, and the default way to make them from an environment's spec."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from tfacme import networks, specs

if TYPE_CHECKING:
  import sonnet as snt


@dataclasses.dataclass(frozen=True)
class BCQNetworks:
  """What BCQ learns; in a learning step and in an actor they are one `BCQNetwork`.

  Attributes:
    torso: a module from a nest of observations [B, ...] to features, which both of the others take.
    q: a module from features to the values of all actions, float32 [B, A].
    behaviour: a module from features to the distribution of the data's actions, a `networks.Categorical`.
  """

  torso: snt.Module
  q: snt.Module
  behaviour: snt.Module


@dataclasses.dataclass(frozen=True)
class default_networks(networks.TorsoOptions):  # pylint: disable=invalid-name  # Used as a function.
  """Makes networks that suit the observations: convolutions for images, fully connected layers for all else.

  As in the authors' code, values and behaviour share the convolutions, and have fully connected layers of their own.
  """

  duelling: bool = False
  """Whether values are split into a state's and the actions' (Wang et al. 2016)."""

  def __call__(self, spec: specs.EnvironmentSpec) -> BCQNetworks:
    """The networks, with their variables."""
    import sonnet as snt  # It imports TensorFlow.

    from tfacme.agents.bcq.update import BCQNetwork

    torso, actions = self.torso(spec.observations, hidden_sizes=()), spec.actions.num_values
    q = snt.Sequential([self.layers(spec.observations), networks.q_head(actions, self.duelling)])
    behaviour = snt.Sequential([self.layers(spec.observations), networks.CategoricalHead(actions)])
    made = BCQNetworks(torso, q, behaviour)
    networks.create_variables(BCQNetwork(made), spec.observations)
    return made
