"""BVE: the values of what acted in the data, by which it acts. See README.md for the paper and the scores.

Its parts are imported when they are first used, so that the config alone can be had without TensorFlow.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
  from tfacme.agents.bve.builder import Builder as Builder
  from tfacme.agents.bve.builder import BVEBuilder as BVEBuilder
  from tfacme.agents.bve.config import BVEConfig as BVEConfig
  from tfacme.agents.bve.config import Config as Config
  from tfacme.agents.bve.networks import BVENetworks as BVENetworks
  from tfacme.agents.bve.networks import default_networks as default_networks

__getattr__, __dir__, __all__ = lazy_loader.attach(
  __name__,
  submod_attrs={
    'builder': ['Builder', 'BVEBuilder'],
    'config': ['BVEConfig', 'Config'],
    'networks': ['BVENetworks', 'default_networks'],
  },
)
