"""The networks of PPO, and the default way to make them from an environment's spec."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Callable, Optional, Sequence

from tfacme import networks, specs

if TYPE_CHECKING:
  import sonnet as snt


@dataclasses.dataclass(frozen=True)
class PPONetworks:
  """What PPO learns. Continuous actions are on the scale from -1 to 1, and may lie beyond.

  Attributes:
    policy: a module from a nest of observations [B, ...] to a distribution of actions: a `networks.Categorical`, a
      `networks.MultiCategorical`, a `networks.Gaussian`, or a `networks.Joint` of those.
    value: a module from such observations to values [B].
  """

  policy: snt.Module
  value: Callable[[Any], Any]


@dataclasses.dataclass(frozen=True)
class default_networks(networks.TorsoOptions):  # pylint: disable=invalid-name  # Used as a function.
  """Makes networks that suit the observations: convolutions for images, fully connected layers for all else.

  Attributes:
    hidden_sizes: units of each fully connected layer; None is (512,) if there are images and (64, 64) if not, as in
      the paper.
    activation: after each fully connected layer.
    initial_log_std: the logarithm of the standard deviation of continuous actions at first.
  """

  hidden_sizes: Optional[Sequence[int]] = None
  activation: networks.Activation = 'tanh'
  initial_log_std: float = 0.0

  def __call__(self, spec: specs.EnvironmentSpec) -> PPONetworks:
    """The networks, with their variables."""
    import sonnet as snt  # It imports TensorFlow.

    # Of all actions alike at first, so that the first steps explore.
    scale = 1e-4
    gaussian = lambda size: networks.GaussianHead(size, scale, self.initial_log_std)
    head = networks.distribution_head(spec.actions, scale, gaussian)
    made = PPONetworks(
      snt.Sequential([self._torso(spec), head]), snt.Sequential([self._torso(spec), networks.ValueHead()])
    )
    networks.create_variables(made.policy, spec.observations)
    networks.create_variables(made.value, spec.observations)
    return made

  def _torso(self, spec: specs.EnvironmentSpec) -> snt.Module:
    options = self
    if self.hidden_sizes is None and not networks.has_image(spec.observations):
      options = dataclasses.replace(self, hidden_sizes=(64, 64))
    return options.torso(spec.observations)
