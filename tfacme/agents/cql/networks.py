"""The networks of CQL, which are those of SAC, so that SAC can go on with what they have learned."""

from tfacme import networks
from tfacme.agents.sac import networks as sac_networks

# Its policy returns a `networks.TanhGaussian`, and there are two critics in the paper.
CQLNetworks = networks.PolicyAndCritics

default_networks = sac_networks.default_networks
