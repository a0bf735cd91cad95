"""BC: behaviour cloning from recorded data. See README.md for the paper and the scores.

Its parts are imported when they are first used, so that the config alone can be had without TensorFlow.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
  from tfacme.agents.bc.builder import BCBuilder as BCBuilder
  from tfacme.agents.bc.builder import Builder as Builder
  from tfacme.agents.bc.config import BCConfig as BCConfig
  from tfacme.agents.bc.config import Config as Config
  from tfacme.agents.bc.networks import BCNetworks as BCNetworks
  from tfacme.agents.bc.networks import default_networks as default_networks
  from tfacme.agents.bc.update import BCUpdate as BCUpdate

__getattr__, __dir__, __all__ = lazy_loader.attach(
  __name__,
  submod_attrs={
    'builder': ['BCBuilder', 'Builder'],
    'config': ['BCConfig', 'Config'],
    'networks': ['BCNetworks', 'default_networks'],
    'update': ['BCUpdate'],
  },
)
