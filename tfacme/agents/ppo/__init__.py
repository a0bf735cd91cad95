"""PPO: proximal policy optimization with a clipped surrogate. See README.md for the paper and the scores.

Its parts are imported when they are first used, so that the config alone can be had without TensorFlow.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
  from tfacme.agents.ppo.builder import Builder as Builder
  from tfacme.agents.ppo.builder import PPOBuilder as PPOBuilder
  from tfacme.agents.ppo.config import Config as Config
  from tfacme.agents.ppo.config import PPOConfig as PPOConfig
  from tfacme.agents.ppo.networks import PPONetworks as PPONetworks
  from tfacme.agents.ppo.networks import default_networks as default_networks
  from tfacme.agents.ppo.update import PPOUpdate as PPOUpdate

__getattr__, __dir__, __all__ = lazy_loader.attach(
  __name__,
  submod_attrs={
    'builder': ['Builder', 'PPOBuilder'],
    'config': ['Config', 'PPOConfig'],
    'networks': ['PPONetworks', 'default_networks'],
    'update': ['PPOUpdate'],
  },
)
