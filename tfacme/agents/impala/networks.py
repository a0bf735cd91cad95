"""The networks of IMPALA, and the default way to make them from an environment's spec."""

from __future__ import annotations

import dataclasses
from typing import Optional, Sequence

from tfacme import networks, specs


@dataclasses.dataclass(frozen=True)
class IMPALANetworks:
  """What IMPALA learns.

  Attributes:
    policy_and_value: from a nest of observations to a `networks.PolicyAndValue`, with memory or without.
  """

  policy_and_value: networks.Unrollable


@dataclasses.dataclass(frozen=True)
class default_networks:  # pylint: disable=invalid-name  # Used as a function: it makes a factory that can be pickled.
  """Makes networks that suit the observations: convolutions for images, fully connected layers for all else.

  Attributes:
    hidden_sizes: units of each fully connected layer; None is (512,) if there are images and (256, 256) if not.
    lstm_size: units of an LSTM after them; None is a network without memory.
    activation: after each fully connected layer.
    normalize_observations: whether real numbers are normalized to mean 0 and standard deviation 1.
    residual: whether images go through the paper's deep residual network (figure 3, right), not the shallow one.
  """

  hidden_sizes: Optional[Sequence[int]] = None
  lstm_size: Optional[int] = None
  activation: networks.Activation = 'relu'
  normalize_observations: bool = False
  residual: bool = False

  def __call__(self, spec: specs.EnvironmentSpec) -> IMPALANetworks:
    """The networks, with their variables."""
    torso = networks.default_torso(
      spec.observations, self.hidden_sizes, self.activation, self.normalize_observations, self.residual
    )
    network = networks.Unrollable(torso, networks.PolicyAndValueHead(spec.actions), networks.lstm(self.lstm_size))
    networks.create_unrolled(network, spec.observations)
    return IMPALANetworks(network)
