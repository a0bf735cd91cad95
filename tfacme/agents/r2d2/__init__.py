"""R2D2: recurrent Q-learning from sequences in prioritized replay. See README.md for the paper and the scores.

Its parts are imported when they are first used, so that the config alone can be had without TensorFlow.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
  from tfacme.agents.r2d2.builder import Builder as Builder
  from tfacme.agents.r2d2.builder import R2D2Builder as R2D2Builder
  from tfacme.agents.r2d2.config import Config as Config
  from tfacme.agents.r2d2.config import R2D2Config as R2D2Config
  from tfacme.agents.r2d2.networks import R2D2Networks as R2D2Networks
  from tfacme.agents.r2d2.networks import default_networks as default_networks
  from tfacme.agents.r2d2.update import R2D2Update as R2D2Update

__getattr__, __dir__, __all__ = lazy_loader.attach(
  __name__,
  submod_attrs={
    'builder': ['Builder', 'R2D2Builder'],
    'config': ['Config', 'R2D2Config'],
    'networks': ['R2D2Networks', 'default_networks'],
    'update': ['R2D2Update'],
  },
)
