"""AWAC: an advantage-weighted actor-critic, from recorded data and online. See README.md for the paper and the scores.

Its parts are imported when they are first used, so that the config alone can be had without TensorFlow.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
  from tfacme.agents.awac.builder import AWACBuilder as AWACBuilder
  from tfacme.agents.awac.builder import Builder as Builder
  from tfacme.agents.awac.config import AWACConfig as AWACConfig
  from tfacme.agents.awac.config import Config as Config
  from tfacme.agents.awac.networks import AWACNetworks as AWACNetworks
  from tfacme.agents.awac.networks import default_networks as default_networks
  from tfacme.agents.awac.update import AWACUpdate as AWACUpdate

__getattr__, __dir__, __all__ = lazy_loader.attach(
  __name__,
  submod_attrs={
    'builder': ['Builder', 'AWACBuilder'],
    'config': ['Config', 'AWACConfig'],
    'networks': ['AWACNetworks', 'default_networks'],
    'update': ['AWACUpdate'],
  },
)
