"""TD3: twin critics and a deterministic policy, which is delayed. See README.md for the papers and the scores.

Its parts are imported when they are first used, so that the config alone can be had without TensorFlow.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
  from tfacme.agents.td3.builder import Builder as Builder
  from tfacme.agents.td3.builder import TD3Builder as TD3Builder
  from tfacme.agents.td3.config import Config as Config
  from tfacme.agents.td3.config import TD3Config as TD3Config
  from tfacme.agents.td3.networks import TD3Networks as TD3Networks
  from tfacme.agents.td3.networks import default_networks as default_networks
  from tfacme.agents.td3.update import TD3Update as TD3Update

__getattr__, __dir__, __all__ = lazy_loader.attach(
  __name__,
  submod_attrs={
    'builder': ['Builder', 'TD3Builder'],
    'config': ['Config', 'TD3Config'],
    'networks': ['TD3Networks', 'default_networks'],
    'update': ['TD3Update'],
  },
)
