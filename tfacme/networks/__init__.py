"""Sonnet modules, and the creation of their variables from a seed."""

from tfacme.networks.critics import Critic as Critic
from tfacme.networks.distributions import Categorical as Categorical
from tfacme.networks.distributions import Gaussian as Gaussian
from tfacme.networks.distributions import TanhGaussian as TanhGaussian
from tfacme.networks.distributions import from_bounds as from_bounds
from tfacme.networks.distributions import to_bounds as to_bounds
from tfacme.networks.heads import CategoricalHead as CategoricalHead
from tfacme.networks.heads import DuellingHead as DuellingHead
from tfacme.networks.heads import GaussianHead as GaussianHead
from tfacme.networks.heads import TanhGaussianHead as TanhGaussianHead
from tfacme.networks.heads import q_head as q_head
from tfacme.networks.optimizers import Adam as Adam
from tfacme.networks.seeding import create_variables as create_variables
from tfacme.networks.seeding import next_seed as next_seed
from tfacme.networks.seeding import seeded as seeded
from tfacme.networks.targets import copy_every as copy_every
from tfacme.networks.targets import follow as follow
from tfacme.networks.torsos import Activation as Activation
from tfacme.networks.torsos import AtariTorso as AtariTorso
from tfacme.networks.torsos import MixedTorso as MixedTorso
from tfacme.networks.torsos import MLPTorso as MLPTorso
from tfacme.networks.torsos import SmallImageTorso as SmallImageTorso
from tfacme.networks.torsos import default_torso as default_torso
from tfacme.networks.torsos import flatten_observation as flatten_observation
