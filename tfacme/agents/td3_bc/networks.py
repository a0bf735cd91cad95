"""The networks of TD3+BC, and the default way to make them from an environment's spec."""

from __future__ import annotations

import dataclasses

from tfacme import networks
from tfacme.agents.td3 import networks as td3_networks

# Those of TD3.
TD3BCNetworks = networks.PolicyAndCritics


@dataclasses.dataclass(frozen=True)
class default_networks(td3_networks.default_networks):  # pylint: disable=invalid-name  # Used as a function.
  """Makes networks that suit the observations: convolutions for images, fully connected layers for all else."""

  normalize_observations: bool = True
  """Whether real numbers are normalized to mean 0 and standard deviation 1 (Fujimoto & Gu 2021, section 5)."""
