"""The network of BC, and the default way to make it from an environment's spec."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Optional, Sequence

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
class default_networks:  # pylint: disable=invalid-name  # Used as a function: it makes a factory that can be pickled.
  """Makes a network that suits the observations: convolutions for images, fully connected layers for all else.

  Attributes:
    hidden_sizes: units of each fully connected layer; None is (512,) if there are images and (256, 256) if not.
    activation: after each fully connected layer.
    normalize_observations: whether real numbers are normalized to mean 0 and standard deviation 1.
  """

  hidden_sizes: Optional[Sequence[int]] = None
  activation: networks.Activation = 'relu'
  normalize_observations: bool = False

  def __call__(self, spec: specs.EnvironmentSpec) -> BCNetworks:
    """The network, with its variables."""
    import sonnet as snt  # It imports TensorFlow.

    torso = networks.default_torso(spec.observations, self.hidden_sizes, self.activation, self.normalize_observations)
    policy = snt.Sequential([torso, networks.distribution_head(spec.actions)])
    networks.create_variables(policy, spec.observations)
    return BCNetworks(policy)
