"""CRR: critic-regularized regression, from recorded data and online. See README.md for the paper and the scores.

Its parts are imported when they are first used, so that the config alone can be had without TensorFlow.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
  from tfacme.agents.crr.builder import Builder as Builder
  from tfacme.agents.crr.builder import CRRBuilder as CRRBuilder
  from tfacme.agents.crr.config import Config as Config
  from tfacme.agents.crr.config import CRRConfig as CRRConfig
  from tfacme.agents.crr.networks import CRRNetworks as CRRNetworks
  from tfacme.agents.crr.networks import default_networks as default_networks
  from tfacme.agents.crr.update import CRRUpdate as CRRUpdate

__getattr__, __dir__, __all__ = lazy_loader.attach(
  __name__,
  submod_attrs={
    'builder': ['Builder', 'CRRBuilder'],
    'config': ['Config', 'CRRConfig'],
    'networks': ['CRRNetworks', 'default_networks'],
    'update': ['CRRUpdate'],
  },
)
