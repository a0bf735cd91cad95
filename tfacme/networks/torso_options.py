"""The options that the default networks of agents have in common. TensorFlow is imported when networks are made."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Optional, Sequence

from tfacme import networks

if TYPE_CHECKING:
  import sonnet as snt


@dataclasses.dataclass(frozen=True)
class TorsoOptions:
  """The base of an agent's `default_networks`: how they look at an observation.

  A subclass is a factory that can be pickled, since it is a dataclass, and its fields are options of the command.
  """

  hidden_sizes: Optional[Sequence[int]] = None
  """Units of each fully connected layer; None is (512,) if there are images and (256, 256) if not."""

  activation: networks.Activation = 'relu'
  """After each fully connected layer."""

  normalize_observations: bool = False
  """Whether real numbers are normalized to mean 0 and standard deviation 1."""

  def torso(self, observation_spec: Any, **others: Any) -> snt.Module:
    """From observations [B, ...] to features [B, F], as `networks.default_torso`, which has `others` too."""
    own = {'hidden_sizes': self.hidden_sizes, 'activation': self.activation, 'normalize': self.normalize_observations}
    return networks.default_torso(observation_spec, **{**own, **others})

  def layers(self, observation_spec: Any) -> snt.Module:
    """The fully connected layers alone, from features [B, D] to features [B, F].

    Heads that share no more than convolutions have some each, behind one `torso(observation_spec, hidden_sizes=())`.
    """
    sizes = networks.default_hidden_sizes(observation_spec) if self.hidden_sizes is None else self.hidden_sizes
    return networks.MLPTorso(sizes, self.activation)
