"""IQL: implicit Q-learning from recorded data. See README.md for the paper and the scores.

Its parts are imported when they are first used, so that the config alone can be had without TensorFlow.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
  from tfacme.agents.iql.builder import Builder as Builder
  from tfacme.agents.iql.builder import IQLBuilder as IQLBuilder
  from tfacme.agents.iql.config import Config as Config
  from tfacme.agents.iql.config import IQLConfig as IQLConfig
  from tfacme.agents.iql.networks import IQLNetworks as IQLNetworks
  from tfacme.agents.iql.networks import default_networks as default_networks
  from tfacme.agents.iql.update import IQLUpdate as IQLUpdate

__getattr__, __dir__, __all__ = lazy_loader.attach(
  __name__,
  submod_attrs={
    'builder': ['Builder', 'IQLBuilder'],
    'config': ['Config', 'IQLConfig'],
    'networks': ['IQLNetworks', 'default_networks'],
    'update': ['IQLUpdate'],
  },
)
