"""The networks of BVE, and the default way to make them from an environment's spec."""

from __future__ import annotations

import dataclasses

from tfacme.agents.dqn import networks as dqn_networks

# Those of DQN.
BVENetworks = dqn_networks.DQNNetworks


@dataclasses.dataclass(frozen=True)
class default_networks(dqn_networks.default_networks):  # pylint: disable=invalid-name  # Used as a function.
  """Makes networks that suit the observations: convolutions for images, fully connected layers for all else."""
