"""SAC: soft actor-critic with twin critics and a learned temperature. See README.md for the papers and the scores.

Its parts are imported when they are first used, so that the config alone can be had without TensorFlow.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
  from tfacme.agents.sac.builder import Builder as Builder
  from tfacme.agents.sac.builder import SACBuilder as SACBuilder
  from tfacme.agents.sac.config import Config as Config
  from tfacme.agents.sac.config import SACConfig as SACConfig
  from tfacme.agents.sac.networks import SACNetworks as SACNetworks
  from tfacme.agents.sac.networks import default_networks as default_networks
  from tfacme.agents.sac.update import SACUpdate as SACUpdate

__getattr__, __dir__, __all__ = lazy_loader.attach(
  __name__,
  submod_attrs={
    'builder': ['Builder', 'SACBuilder'],
    'config': ['Config', 'SACConfig'],
    'networks': ['SACNetworks', 'default_networks'],
    'update': ['SACUpdate'],
  },
)
