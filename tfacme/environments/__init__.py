"""Environments: made from an id, as `dm_env.Environment`s in single precision.

    environment = environments.make('bsuite:catch/0', seed=1)
    factory = environments.factory('gym:FrozenLake-v1', kwargs={'is_slippery': False}, frame_stack=2)
    factory = environments.factory('gym:Pendulum-v1').wrapped(my_wrapper)

An id names its family before the first colon (`bsuite:`, `gym:`); without a family it is a function of the user's own,
`package.module:function`. `known()` lists them; `Options` says what can be set by name. Importing this package imports
none of the families.
"""

from tfacme.environments.options import Options as Options
from tfacme.environments.registry import EnvironmentFactory as EnvironmentFactory
from tfacme.environments.registry import factory as factory
from tfacme.environments.registry import known as known
from tfacme.environments.registry import make as make
