"""IMPALA: an actor-critic with V-trace, off a queue. See README.md for the paper and the scores.

Its parts are imported when they are first used, so that the config alone can be had without TensorFlow.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
  from tfacme.agents.impala.builder import Builder as Builder
  from tfacme.agents.impala.builder import IMPALABuilder as IMPALABuilder
  from tfacme.agents.impala.config import Config as Config
  from tfacme.agents.impala.config import IMPALAConfig as IMPALAConfig
  from tfacme.agents.impala.networks import IMPALANetworks as IMPALANetworks
  from tfacme.agents.impala.networks import default_networks as default_networks
  from tfacme.agents.impala.update import IMPALAUpdate as IMPALAUpdate

__getattr__, __dir__, __all__ = lazy_loader.attach(
  __name__,
  submod_attrs={
    'builder': ['Builder', 'IMPALABuilder'],
    'config': ['Config', 'IMPALAConfig'],
    'networks': ['IMPALANetworks', 'default_networks'],
    'update': ['IMPALAUpdate'],
  },
)
