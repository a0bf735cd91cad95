"""The networks of MBOP, and the default way to make them from an environment's spec."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence, Tuple

import numpy as np
import tree
from dm_env import specs as dm_specs

from tfacme import networks, specs

if TYPE_CHECKING:
  from tfacme.networks import EnsembleRegressor

_HIDDEN_SIZES = (64, 64)


@dataclasses.dataclass(frozen=True)
class MBOPNetworks:
  """What MBOP learns: three ensembles of as many members each, whose inputs are a state and an action in one vector.

  A state is an observation as a vector [B, S], and an action all of its numbers [B, D], on the scale from -1 to 1.

  Attributes:
    world_model: from a state and an action to how the state changes, and the reward, [B, S + 1].
    policy_prior: from a state and the action before it to the action, [B, D].
    return_model: from a state and the action before it to the sum of the rewards that follow, [B, 1].
  """

  world_model: EnsembleRegressor
  policy_prior: EnsembleRegressor
  return_model: EnsembleRegressor


def sizes(spec: specs.EnvironmentSpec) -> Tuple[int, Dict[str, int]]:
  """How many numbers go into each network of `MBOPNetworks`, and how many come out of which."""
  state, action = (sum(map(specs.size, tree.flatten(nest))) for nest in (spec.observations, spec.actions))
  return state + action, {'world_model': state + 1, 'policy_prior': action, 'return_model': 1}


def create_variables(made: MBOPNetworks, spec: specs.EnvironmentSpec) -> Dict[str, Any]:
  """Creates the variables that there are not yet, of all networks in one trace.

  Returns:
    What each of them returns, by name, as of `networks.create_variables`.
  """
  inputs, outputs = sizes(spec)
  every = lambda x: {name: getattr(made, name)(x) for name in outputs}
  return networks.create_variables(every, dm_specs.Array((inputs,), np.float32))


@dataclasses.dataclass(frozen=True)
class default_networks:  # pylint: disable=invalid-name  # Used as a function: it makes a factory that can be pickled.
  """Makes ensembles of fully connected networks. Observations are always normalized, and so is what is learned."""

  hidden_sizes: Optional[Sequence[int]] = None
  """Units of each hidden layer of each network; None is (64, 64), as in Acme."""

  activation: networks.Activation = 'relu'
  """After each hidden layer."""

  members: int = 5
  """Members of each ensemble (algorithm 2: K; Acme: 5)."""

  def __call__(self, spec: specs.EnvironmentSpec) -> MBOPNetworks:
    """The networks, with their variables."""
    inputs, outputs = sizes(spec)
    made = MBOPNetworks(**{name: self._ensemble(inputs, size) for name, size in outputs.items()})
    create_variables(made, spec)
    return made

  def _ensemble(self, inputs: int, outputs: int) -> EnsembleRegressor:
    hidden_sizes = _HIDDEN_SIZES if self.hidden_sizes is None else self.hidden_sizes
    network = networks.EnsembleMLP(self.members, [*hidden_sizes, outputs], self.activation)
    return networks.EnsembleRegressor(network, self.members, inputs, outputs)
