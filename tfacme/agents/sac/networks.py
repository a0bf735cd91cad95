"""The networks of SAC, and the default way to make them from an environment's spec."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from tfacme import networks

if TYPE_CHECKING:
  import sonnet as snt

# Its policy returns a `networks.TanhGaussian`, and there are two critics in the paper.
SACNetworks = networks.PolicyAndCritics


@dataclasses.dataclass(frozen=True)
class default_networks(networks.policy_and_critics):  # pylint: disable=invalid-name  # Used as a function.
  """Makes networks that suit the observations; the sizes of the fully connected layers are those of the paper."""

  def policy_head(self, size: int) -> snt.Module:
    """A distribution of actions between -1 and 1 (Haarnoja et al. 2018b, appendix C)."""
    return networks.TanhGaussianHead(size)
