"""Sonnet modules, and the creation of their variables from a seed."""

from tfacme.networks.heads import DuellingHead as DuellingHead
from tfacme.networks.heads import q_head as q_head
from tfacme.networks.optimizers import create_slots as create_slots
from tfacme.networks.seeding import create_variables as create_variables
from tfacme.networks.seeding import seeded as seeded
from tfacme.networks.torsos import Activation as Activation
from tfacme.networks.torsos import AtariTorso as AtariTorso
from tfacme.networks.torsos import MixedTorso as MixedTorso
from tfacme.networks.torsos import MLPTorso as MLPTorso
from tfacme.networks.torsos import SmallImageTorso as SmallImageTorso
from tfacme.networks.torsos import default_torso as default_torso
from tfacme.networks.torsos import flatten_observation as flatten_observation
