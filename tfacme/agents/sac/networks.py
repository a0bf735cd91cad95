"""The networks of SAC, and the default way to make them from an environment's spec."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Optional, Sequence

from tfacme import networks, specs

if TYPE_CHECKING:
  import sonnet as snt


@dataclasses.dataclass(frozen=True)
class SACNetworks:
  """What SAC learns. Actions are on the scale from -1 to 1.

  Attributes:
    policy: a module from a nest of observations [B, ...] to a `networks.TanhGaussian` [B, D], or a `networks.Joint` of
      those where actions are a nest.
    critics: modules from such observations and actions [B, D], or nests of those, to values [B]; two in the paper.
  """

  policy: snt.Module
  critics: Sequence[snt.Module]


@dataclasses.dataclass(frozen=True)
class default_networks:  # pylint: disable=invalid-name  # Used as a function: it makes a factory that can be pickled.
  """Makes networks that suit the observations: convolutions for images, fully connected layers for all else.

  Attributes:
    hidden_sizes: units of each fully connected layer; None is (512,) if there are images and (256, 256) if not, as in
      the paper.
    activation: after each fully connected layer.
    critics: how many there are.
    normalize_observations: whether real numbers are brought to mean 0 and deviation 1 over the run.
    layer_norm: whether the first fully connected layer of each network is normalized.
  """

  hidden_sizes: Optional[Sequence[int]] = None
  activation: networks.Activation = 'relu'
  critics: int = 2
  normalize_observations: bool = False
  layer_norm: bool = False

  def __call__(self, spec: specs.EnvironmentSpec) -> SACNetworks:
    """The networks, with their variables."""
    import sonnet as snt  # It imports TensorFlow.

    torso = self._torso(spec.observations, self.normalize_observations)
    head = networks.distribution_head(spec.actions, continuous=networks.TanhGaussianHead)
    made = SACNetworks(snt.Sequential([torso, head]), [self._critic(spec) for _ in range(self.critics)])
    networks.create_variables(made.policy, spec.observations)
    for critic in made.critics:
      networks.create_variables(critic, spec.observations, networks.network_spec(spec.actions))
    return made

  def _critic(self, spec: specs.EnvironmentSpec) -> snt.Module:
    normalizer = networks.ObservationNormalizer(spec.observations) if self.normalize_observations else None
    return networks.Critic(self._torso([spec.observations, networks.network_spec(spec.actions)]), normalizer)

  def _torso(self, inputs: Any, normalize: bool = False) -> snt.Module:
    return networks.default_torso(
      inputs, self.hidden_sizes, self.activation, normalize=normalize, layer_norm=self.layer_norm
    )
