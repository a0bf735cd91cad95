"""The networks of R2D2, and the default way to make them from an environment's spec."""

from __future__ import annotations

import dataclasses

from tfacme import networks, specs


@dataclasses.dataclass(frozen=True)
class R2D2Networks:
  """What R2D2 learns.

  Attributes:
    q: from a nest of observations to the values of all actions [B, A], with memory.
  """

  q: networks.Unrollable


@dataclasses.dataclass(frozen=True)
class default_networks(networks.TorsoOptions):  # pylint: disable=invalid-name  # Used as a function.
  """Makes networks that suit the observations: convolutions for images, fully connected layers for all else.

  Attributes:
    lstm_size: units of the LSTM after them (512 in the paper).
    duelling: whether values are split into a state's and the actions' (Wang et al. 2016).
  """

  lstm_size: int = 128
  duelling: bool = True

  def __call__(self, spec: specs.EnvironmentSpec) -> R2D2Networks:
    """The networks, with their variables."""
    torso = self.torso(spec.observations)
    head = networks.q_head(spec.actions.num_values, self.duelling)
    network = networks.Unrollable(torso, head, networks.lstm(self.lstm_size))
    networks.create_unrolled(network, spec.observations)
    return R2D2Networks(network)
