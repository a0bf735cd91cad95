"""The networks of IQL, and the default way to make them from an environment's spec."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from tfacme import networks, specs

if TYPE_CHECKING:
  import sonnet as snt


@dataclasses.dataclass(frozen=True)
class IQLNetworks(networks.PolicyAndCritics):
  """What IQL learns. Its policy returns `networks.Gaussian`s of real numbers, and its critics values [B].

  Attributes:
    value: a module from a nest of observations [B, ...] to the values of states [B].
  """

  value: snt.Module


@dataclasses.dataclass(frozen=True)
class default_networks(networks.policy_and_critics):  # pylint: disable=invalid-name  # Used as a function.
  """Makes networks that suit the observations; the sizes of the fully connected layers are those of the paper."""

  def policy_head(self, size: int) -> snt.Module:
    """A distribution around actions between -1 and 1, as in the authors' code."""
    return networks.TanhMeanGaussianHead(size)

  def __call__(self, spec: specs.EnvironmentSpec) -> IQLNetworks:
    """The networks, with their variables."""
    import sonnet as snt  # It imports TensorFlow.

    made = super().__call__(spec)
    torso = self.torso(spec.observations, layer_norm=self.layer_norm)
    value = snt.Sequential([torso, networks.ValueHead(name='value')])
    networks.create_variables(value, spec.observations)
    return IQLNetworks(made.policy, made.critics, value)
