"""DQN: double Q-learning from n-step transitions in prioritized replay. See README.md for the paper and the scores.

Its parts are imported when they are first used, so that the config alone can be had without TensorFlow.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
  from tfacme.agents.dqn.builder import Builder as Builder
  from tfacme.agents.dqn.builder import DQNBuilder as DQNBuilder
  from tfacme.agents.dqn.config import Config as Config
  from tfacme.agents.dqn.config import DQNConfig as DQNConfig
  from tfacme.agents.dqn.networks import DQNNetworks as DQNNetworks
  from tfacme.agents.dqn.networks import default_networks as default_networks
  from tfacme.agents.dqn.networks import mlp_networks as mlp_networks
  from tfacme.agents.dqn.update import DQNUpdate as DQNUpdate

__getattr__, __dir__, __all__ = lazy_loader.attach(
  __name__,
  submod_attrs={
    'builder': ['Builder', 'DQNBuilder'],
    'config': ['Config', 'DQNConfig'],
    'networks': ['DQNNetworks', 'default_networks', 'mlp_networks'],
    'update': ['DQNUpdate'],
  },
)
