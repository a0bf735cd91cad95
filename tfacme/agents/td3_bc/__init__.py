"""TD3+BC: TD3 from recorded data, held near the recorded actions. See README.md for the paper and the scores.

Its parts are imported when they are first used, so that the config alone can be had without TensorFlow.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
  from tfacme.agents.td3_bc.builder import Builder as Builder
  from tfacme.agents.td3_bc.builder import TD3BCBuilder as TD3BCBuilder
  from tfacme.agents.td3_bc.config import Config as Config
  from tfacme.agents.td3_bc.config import TD3BCConfig as TD3BCConfig
  from tfacme.agents.td3_bc.networks import TD3BCNetworks as TD3BCNetworks
  from tfacme.agents.td3_bc.networks import default_networks as default_networks

__getattr__, __dir__, __all__ = lazy_loader.attach(
  __name__,
  submod_attrs={
    'builder': ['Builder', 'TD3BCBuilder'],
    'config': ['Config', 'TD3BCConfig'],
    'networks': ['TD3BCNetworks', 'default_networks'],
  },
)
