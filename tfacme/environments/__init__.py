"""Environments: made from an id, as `dm_env.Environment`s in single precision.

    environment = environments.make('bsuite:catch/0', seed=1)
    factory = environments.factory('gym:Pendulum-v1').wrapped(wrappers.CanonicalAction)

An id names its family before the first colon (`bsuite:`, `gym:`); without a family it is a function of the user's own,
`package.module:function`. `known()` lists them. Importing this package imports none of the families.
"""

from tfacme.environments.registry import EnvironmentFactory as EnvironmentFactory
from tfacme.environments.registry import factory as factory
from tfacme.environments.registry import known as known
from tfacme.environments.registry import make as make
