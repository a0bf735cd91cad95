"""The network of BC, and the default way to make it from an environment's spec."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from tfacme import networks, specs

if TYPE_CHECKING:
  import sonnet as snt


@dataclasses.dataclass(frozen=True)
class BCNetworks:
  """What BC learns. Continuous actions are on the scale from -1 to 1.

  Attributes:
    policy: a module from a nest of observations [B, ...] to a distribution of actions: a `networks.Categorical`, a
      `networks.MultiCategorical`, a `networks.Gaussian`, or a `networks.Joint` of those.
  """

  policy: snt.Module


@dataclasses.dataclass(frozen=True)
class default_networks(networks.TorsoOptions):  # pylint: disable=invalid-name  # Used as a function.
  """Makes a network that suits the observations: convolutions for images, fully connected layers for all else."""

  dropout: float = 0.0
  """Share of the units of each fully connected layer that a learning step does without (Srivastava et al. 2014; Acme's
  scripts: 0.1)."""

  def __call__(self, spec: specs.EnvironmentSpec) -> BCNetworks:
    """The network, with its variables."""
    import sonnet as snt  # It imports TensorFlow.

    torso = self.torso(spec.observations, dropout=self.dropout)
    policy = snt.Sequential([torso, networks.distribution_head(spec.actions)])
    networks.create_variables(policy, spec.observations)
    return BCNetworks(policy)
