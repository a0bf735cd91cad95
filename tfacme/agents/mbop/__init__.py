"""MBOP: planning by models that are learned from recorded data. See README.md for the paper and the scores.

Its parts are imported when they are first used, so that the config alone can be had without TensorFlow.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
  from tfacme.agents.mbop.builder import Builder as Builder
  from tfacme.agents.mbop.builder import MBOPBuilder as MBOPBuilder
  from tfacme.agents.mbop.config import Config as Config
  from tfacme.agents.mbop.config import MBOPConfig as MBOPConfig
  from tfacme.agents.mbop.model import MBOPModel as MBOPModel
  from tfacme.agents.mbop.networks import MBOPNetworks as MBOPNetworks
  from tfacme.agents.mbop.networks import default_networks as default_networks
  from tfacme.agents.mbop.update import MBOPUpdate as MBOPUpdate

__getattr__, __dir__, __all__ = lazy_loader.attach(
  __name__,
  submod_attrs={
    'builder': ['Builder', 'MBOPBuilder'],
    'config': ['Config', 'MBOPConfig'],
    'model': ['MBOPModel'],
    'networks': ['MBOPNetworks', 'default_networks'],
    'update': ['MBOPUpdate'],
  },
)
