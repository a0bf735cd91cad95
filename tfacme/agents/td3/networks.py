"""The networks of TD3, and the default way to make them from an environment's spec."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from tfacme import networks

if TYPE_CHECKING:
  import sonnet as snt

# Its policy returns a `networks.Deterministic`. There are two critics in the paper, and one in DDPG.
TD3Networks = networks.PolicyAndCritics


@dataclasses.dataclass(frozen=True)
class default_networks(networks.policy_and_critics):  # pylint: disable=invalid-name  # Used as a function.
  """Makes networks that suit the observations: convolutions for images, fully connected layers for all else."""

  def policy_head(self, size: int) -> snt.Module:
    """An action between -1 and 1 (Fujimoto et al. 2018, appendix C)."""
    return networks.DeterministicHead(size)
