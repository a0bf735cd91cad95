"""Discrete CQL: conservative Q-learning from recorded choices. See README.md for the papers and the scores.

Its parts are imported when they are first used, so that the config alone can be had without TensorFlow.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
  from tfacme.agents.discrete_cql.builder import Builder as Builder
  from tfacme.agents.discrete_cql.builder import DiscreteCQLBuilder as DiscreteCQLBuilder
  from tfacme.agents.discrete_cql.config import Config as Config
  from tfacme.agents.discrete_cql.config import DiscreteCQLConfig as DiscreteCQLConfig
  from tfacme.agents.discrete_cql.networks import DiscreteCQLNetworks as DiscreteCQLNetworks
  from tfacme.agents.discrete_cql.networks import default_networks as default_networks
  from tfacme.agents.discrete_cql.update import DiscreteCQLUpdate as DiscreteCQLUpdate

__getattr__, __dir__, __all__ = lazy_loader.attach(
  __name__,
  submod_attrs={
    'builder': ['Builder', 'DiscreteCQLBuilder'],
    'config': ['Config', 'DiscreteCQLConfig'],
    'networks': ['DiscreteCQLNetworks', 'default_networks'],
    'update': ['DiscreteCQLUpdate'],
  },
)
