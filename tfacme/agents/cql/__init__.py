"""CQL: conservative Q-learning from recorded data, for continuous actions. See README.md for the papers and the scores.

Its parts are imported when they are first used, so that the config alone can be had without TensorFlow.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
  from tfacme.agents.cql.builder import Builder as Builder
  from tfacme.agents.cql.builder import CQLBuilder as CQLBuilder
  from tfacme.agents.cql.config import Config as Config
  from tfacme.agents.cql.config import CQLConfig as CQLConfig
  from tfacme.agents.cql.networks import CQLNetworks as CQLNetworks
  from tfacme.agents.cql.networks import default_networks as default_networks
  from tfacme.agents.cql.update import CQLUpdate as CQLUpdate

__getattr__, __dir__, __all__ = lazy_loader.attach(
  __name__,
  submod_attrs={
    'builder': ['Builder', 'CQLBuilder'],
    'config': ['Config', 'CQLConfig'],
    'networks': ['CQLNetworks', 'default_networks'],
    'update': ['CQLUpdate'],
  },
)
