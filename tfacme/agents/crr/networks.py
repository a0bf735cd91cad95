"""The networks of CRR, and the default way to make them from an environment's spec."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Optional

from tfacme import networks

if TYPE_CHECKING:
  import sonnet as snt

# Its policy returns `networks.Gaussian`s of real numbers, and there is one critic in the paper.
CRRNetworks = networks.PolicyAndCritics


@dataclasses.dataclass(frozen=True)
class default_networks(networks.policy_and_critics):  # pylint: disable=invalid-name  # Used as a function.
  """Makes networks that suit the observations: convolutions for images, fully connected layers for all else."""

  critics: int = 1
  """How many critics there are; of several the lowest counts."""

  lstm_size: Optional[int] = None
  """Units of an LSTM in each network, behind its fully connected layers; None is networks without memory. With one, the
  agent has to learn from sequences (trace_length)."""

  def memory(self) -> Optional[snt.RNNCore]:
    """An LSTM, if it has a size."""
    return networks.lstm(self.lstm_size)

  def policy_head(self, size: int) -> snt.Module:
    """A distribution around actions between -1 and 1."""
    return networks.TanhMeanGaussianHead(size)
