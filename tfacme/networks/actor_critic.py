"""A policy and critics of its actions, for continuous actions. TensorFlow is imported when networks are made."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Optional, Sequence

from tfacme import networks, specs

if TYPE_CHECKING:
  import sonnet as snt


@dataclasses.dataclass(frozen=True)
class PolicyAndCritics:
  """What an actor-critic learns. Actions are on the scale from -1 to 1.

  With memory, as an agent needs it that learns from sequences, all of them are `networks.Unrollable`s, and a critic
  takes a pair (observation, action) as one (`networks.CriticTorso`).

  Attributes:
    policy: a module from a nest of observations [B, ...] to a distribution of actions [B, D], or a `networks.Joint` of
      those where actions are a nest.
    critics: modules from such observations and actions [B, D], or nests of those, to values [B] or to distributions of
      them, all alike.
  """

  policy: snt.Module
  critics: Sequence[snt.Module]


@dataclasses.dataclass(frozen=True)
class policy_and_critics(networks.TorsoOptions):  # pylint: disable=invalid-name  # Used as a function: it makes a factory that can be pickled.
  """Makes networks that suit the observations: convolutions for images, fully connected layers for all else.

  A subclass says which distribution the policy returns, and may say what a critic returns, and what all remember by.
  """

  critics: int = 2
  """How many critics there are."""

  layer_norm: bool = False
  """Whether the first fully connected layer of each network is normalized."""

  def policy_head(self, size: int) -> snt.Module:
    """From features [B, F] to a distribution of `size` real numbers."""
    raise NotImplementedError

  def critic_head(self) -> Optional[snt.Module]:
    """From features [B, F] to values, or to distributions over values; None is a `networks.ValueHead`.

    Which distribution it is, `checks.check_policy_and_critics` is told. `losses.distributional` has a
    loss for each kind, and `tests/contract/distributional.py` an example.
    """
    return None

  def memory(self) -> Optional[snt.RNNCore]:
    """What one of the networks remembers by, behind its torso; None if they have no memory."""
    return None

  def __call__(self, spec: specs.EnvironmentSpec) -> PolicyAndCritics:
    """The networks, with their variables."""
    made = PolicyAndCritics(self._policy(spec), [self._critic(spec) for _ in range(self.critics)])
    create = networks.create_variables if self.memory() is None else networks.create_unrolled
    create(made.policy, spec.observations)
    for critic in made.critics:
      create(critic, spec.observations, networks.network_spec(spec.actions))
    return made

  def _policy(self, spec: specs.EnvironmentSpec) -> snt.Module:
    import sonnet as snt  # It imports TensorFlow.

    torso = self.torso(spec.observations, layer_norm=self.layer_norm)
    head, rnn = networks.distribution_head(spec.actions, continuous=self.policy_head), self.memory()
    return snt.Sequential([torso, head]) if rnn is None else networks.Unrollable(torso, head, rnn)

  def _critic(self, spec: specs.EnvironmentSpec) -> snt.Module:
    normalizer = networks.ObservationNormalizer(spec.observations) if self.normalize_observations else None
    inputs = [spec.observations, networks.network_spec(spec.actions)]
    torso = self.torso(inputs, normalize=False, layer_norm=self.layer_norm)
    head, rnn = self.critic_head(), self.memory()
    if rnn is None:
      return networks.Critic(torso, normalizer, head)
    return networks.Unrollable(networks.CriticTorso(torso, normalizer), head or networks.ValueHead(name='value'), rnn)
