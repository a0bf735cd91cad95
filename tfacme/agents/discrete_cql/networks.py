"""The networks of discrete CQL, which are those of DQN, so that DQN can go on with what they have learned."""

from tfacme.agents.dqn import networks as dqn_networks

DiscreteCQLNetworks = dqn_networks.DQNNetworks

default_networks = dqn_networks.default_networks
