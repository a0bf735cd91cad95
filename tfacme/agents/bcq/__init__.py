"""BCQ for discrete actions: Q-learning among the actions that the data has. See README.md for the paper and the scores.

Its parts are imported when they are first used, so that the config alone can be had without TensorFlow.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
  from tfacme.agents.bcq.builder import BCQBuilder as BCQBuilder
  from tfacme.agents.bcq.builder import Builder as Builder
  from tfacme.agents.bcq.config import BCQConfig as BCQConfig
  from tfacme.agents.bcq.config import Config as Config
  from tfacme.agents.bcq.networks import BCQNetworks as BCQNetworks
  from tfacme.agents.bcq.networks import default_networks as default_networks
  from tfacme.agents.bcq.update import BatchConstrained as BatchConstrained
  from tfacme.agents.bcq.update import BCQNetwork as BCQNetwork
  from tfacme.agents.bcq.update import ValuesAndBehaviour as ValuesAndBehaviour

__getattr__, __dir__, __all__ = lazy_loader.attach(
  __name__,
  submod_attrs={
    'builder': ['BCQBuilder', 'Builder'],
    'config': ['BCQConfig', 'Config'],
    'networks': ['BCQNetworks', 'default_networks'],
    'update': ['BatchConstrained', 'BCQNetwork', 'ValuesAndBehaviour'],
  },
)
