"""The policy that agents share: a network, with memory or without, and how an action is chosen from its output."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Tuple

import tensorflow as tf

from tfacme import core, schedules
from tfacme.networks import actions, exploration, masking

# From a network's output for observations [B, ...] to actions, as the environment takes them, and the row's extras.
Choose = Callable[[Any, core.Context], Tuple[core.Nest, core.Nest]]
# From action values [B, A], `masking.ILLEGAL` of what is illegal, to actions, int32 [B].
Explore = Callable[[tf.Tensor, core.Context], tf.Tensor]


class MemorylessPolicy(tf.Module):
  """The base of policies without memory."""

  def initial_state(self, batch_size: int) -> core.Nest:
    """It has none, `()`."""
    del batch_size
    return ()


class NetworkPolicy(tf.Module):
  """Acts by a network's output; a `core.Policy`.

  Illegal actions are masked in that output, if the observation has a mask of them.
  """

  def __init__(self, network: Any, choose: Choose, stores_state: bool = False):
    """Initializes the policy.

    Args:
      network: from a nest of observations [B, ...] to any output; or a `networks.Unrollable`, which has a state.
      choose: the action from that output, such as `ByValue`, `Sample` or `Mode`.
      stores_state: whether the network's `state` before the action is one of the extras, as learning from sequences
        needs it.
    """
    super().__init__(name='policy')
    self._network = network
    self._choose = choose
    self._stores_state = stores_state

  def initial_state(self, batch_size: int) -> core.Nest:
    """The network's own; `()` without memory."""
    return masking.initial_state(self._network, batch_size)

  def __call__(
    self, observation: core.Nest, state: core.Nest, context: core.Context
  ) -> Tuple[core.Nest, core.Nest, core.Nest]:
    """From observations [B, ...] and the state before them to actions [B, ...], the next state, and the extras."""
    output, next_state = masking.step(self._network, observation, state)
    action, extras = self._choose(output, context)
    return action, next_state, {**extras, 'state': state} if self._stores_state else extras


@dataclasses.dataclass(frozen=True)
class ByValue:
  """The action that a function such as `EpsilonGreedy` picks by the values of all actions.

  Attributes:
    explore: such as `EpsilonGreedy`.
    action_spec: of the environment, discrete.
  """

  explore: Explore
  action_spec: Any

  def __call__(self, q: tf.Tensor, context: core.Context) -> Tuple[tf.Tensor, core.Nest]:
    """See `Choose`; there are no extras."""
    return actions.to_environment(self.explore(q, context), self.action_spec, self.explore), {}


@dataclasses.dataclass(frozen=True)
class Mode:
  """The mode of the distribution that a network returns.

  Attributes:
    action_spec: of the environment, any nest.
  """

  action_spec: Any

  def __call__(self, output: Any, context: core.Context) -> Tuple[core.Nest, core.Nest]:
    """See `Choose`; there are no extras."""
    del context
    return actions.to_environment(_distribution(output).mode(), self.action_spec), {}


@dataclasses.dataclass(frozen=True)
class Sample:
  """A sample of the distribution that a network returns.

  The extras are the `sample` itself, as the network sees it, and its `log_prob`, if the update wants them.

  Attributes:
    action_spec: of the environment, any nest.
    extras: whether there are extras.
    random_steps: steps of the run, of all actors, in which actions are uniformly random instead; real numbers only.
  """

  action_spec: Any
  extras: bool = True
  random_steps: int = 0

  def __call__(self, output: Any, context: core.Context) -> Tuple[core.Nest, core.Nest]:
    """See `Choose`."""
    distribution = _distribution(output)
    sample = distribution.sample(context.seed)
    sample = _random_at_first(sample, self.random_steps, context)
    extras = {'sample': sample, 'log_prob': distribution.log_prob(sample)} if self.extras else {}
    return actions.to_environment(sample, self.action_spec), extras


@dataclasses.dataclass(frozen=True)
class NoisyMode:
  """The mode of the distribution that a network returns, with normal noise (Fujimoto et al. 2018, algorithm 1).

  For actions that are real numbers, or nests of those.

  Attributes:
    action_spec: of the environment.
    deviation: of the noise, where actions lie between -1 and 1; a schedule over the steps of the run.
    random_steps: steps of the run, of all actors, in which actions are uniformly random instead.
  """

  action_spec: Any
  deviation: schedules.Schedule
  random_steps: int = 0

  def __call__(self, output: Any, context: core.Context) -> Tuple[core.Nest, core.Nest]:
    """See `Choose`; there are no extras."""
    deviation = schedules.value(self.deviation, context.steps)
    action = exploration.add_noise(_distribution(output).mode(), deviation, context.seed)
    return actions.to_environment(_random_at_first(action, self.random_steps, context), self.action_spec), {}


def _random_at_first(action: core.Nest, steps: int, context: core.Context) -> core.Nest:
  """Actions, a nest of real numbers between -1 and 1; uniformly random ones in the first steps of the run."""
  if not steps:
    return action
  leaves = tf.nest.flatten(action)
  seeds = [context.seed + tf.constant([i, 0]) for i in range(len(leaves))]
  uniform = [tf.random.stateless_uniform(tf.shape(leaf), own, -1.0, 1.0) for leaf, own in zip(leaves, seeds)]
  chosen = [tf.where(context.steps < steps, *pair) for pair in zip(uniform, leaves)]
  return tf.nest.pack_sequence_as(action, chosen)


def _distribution(output: Any) -> Any:
  """The distribution of a network that returns one alone, or beside a value."""
  return getattr(output, 'policy', output)
