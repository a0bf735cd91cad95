"""The networks of IMPALA, and the default way to make them from an environment's spec."""

from __future__ import annotations

import dataclasses
from typing import Optional

from tfacme import networks, specs


@dataclasses.dataclass(frozen=True)
class IMPALANetworks:
  """What IMPALA learns.

  Attributes:
    policy_and_value: from a nest of observations to a `networks.PolicyAndValue`, with memory or without.
  """

  policy_and_value: networks.Unrollable


@dataclasses.dataclass(frozen=True)
class default_networks(networks.TorsoOptions):  # pylint: disable=invalid-name  # Used as a function.
  """Makes networks that suit the observations: convolutions for images, fully connected layers for all else.

  Attributes:
    lstm_size: units of an LSTM after them; None is a network without memory.
    residual: whether images go through the paper's deep residual network (figure 3, right), not the shallow one.
  """

  lstm_size: Optional[int] = None
  residual: bool = False

  def __call__(self, spec: specs.EnvironmentSpec) -> IMPALANetworks:
    """The networks, with their variables."""
    torso = self.torso(spec.observations, residual=self.residual)
    network = networks.Unrollable(torso, networks.PolicyAndValueHead(spec.actions), networks.lstm(self.lstm_size))
    networks.create_unrolled(network, spec.observations)
    return IMPALANetworks(network)
