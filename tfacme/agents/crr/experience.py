"""What CRR learns from: transitions one by one, or in sequences, along which networks with memory are unrolled."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Callable, NamedTuple, Optional, Protocol

import tensorflow as tf

from tfacme import core, networks, updates
from tfacme.agents.crr.config import CRRConfig
from tfacme.losses import values

Critics = Callable[[core.Nest], tf.Tensor]  # From actions [...], to the values [K, ...] that K critics have of them.


class Rows(Protocol):
  """Rows of a batch, [B] or [B, T], as networks see them."""

  @property
  def action(self) -> core.Nest:
    """The recorded actions, on the scale of networks; zeros in the row of a final observation."""
    ...

  def policy(self, network: Any) -> Any:
    """The distribution of a policy's actions there."""
    ...

  def critics(self, ensemble: Any) -> Critics:
    """What critics, a `networks.Ensemble`, say of any actions there."""
    ...


class Experience(NamedTuple):
  """What a learning step learns from."""

  now: Rows  # in which actions were taken
  later: Rows  # in which their returns may end: [B], or of sequences [B, T + 1]
  returns: Callable[[tf.Tensor], tf.Tensor]  # from the values of `later` to the n-step returns of `now`
  mask: tf.Tensor  # float, as `now`: 1 where a row starts a transition, and nothing is learned from the others
  followed: tf.Tensor  # float, as `now`: 0 where a return ends in a value, and no action follows, after a truncation
  seen: Optional[tf.Tensor]  # float [B, T], 1 where an observation of the batch counts; None is all


def of_transitions(batch: core.Batch, config: CRRConfig, action_spec: Any) -> Experience:
  """Items whose first and last observations count, [B, 2, ...], or [B, T, ...] around a wrapper."""
  transition = updates.n_step_transition(batch, config, reward_scale=config.reward_scale)
  return Experience(
    now=_Memoryless(transition.observation, networks.from_environment(transition.action, action_spec)),
    later=_Memoryless(transition.next_observation, networks.from_environment(transition.next_action, action_spec)),
    returns=lambda ends: transition.returns + transition.discount * ends,
    mask=tf.ones_like(transition.returns),
    followed=transition.next_weight,
    seen=updates.is_seen(batch.steps),
  )


def of_sequences(batch: core.Batch, config: CRRConfig, action_spec: Any) -> Experience:
  """Items of burn_in + trace_length + 1 rows, [B, T, ...], with the policy's state before the first one."""
  action = networks.from_environment(batch.steps.action, action_spec)
  sequences = updates.sequences(batch._replace(steps=batch.steps._replace(action=action)), config.burn_in)
  rewards, discounts, mask = sequences.steps.reward[:, :-1], sequences.steps.discount[:, :-1], sequences.mask[:, :-1]
  returns = lambda scale, ends: values.n_step_targets(
    scale * rewards, discounts, ends, mask, config.n_step, config.discount
  )
  # Returns of nothing but a value of 1 in each row without an action.
  missing = returns(0.0, 1.0 - sequences.mask)
  return Experience(
    now=_Remembered(sequences, mask.shape[1]),
    later=_Remembered(sequences, mask.shape[1] + 1),
    returns=functools.partial(returns, config.reward_scale),
    mask=mask,
    followed=tf.cast(tf.equal(missing, 0.0), tf.float32),
    seen=updates.is_seen(batch.steps, config),
  )


@dataclasses.dataclass(frozen=True)
class _Memoryless:
  """`Rows` [B], each by itself."""

  observation: core.Nest
  action: core.Nest

  def policy(self, network: Any) -> Any:
    return networks.evaluate(network, self.observation)

  def critics(self, ensemble: Any) -> Critics:
    return functools.partial(ensemble, self.observation)


@dataclasses.dataclass(frozen=True)
class _Remembered:
  """`Rows` [B, count], the first ones behind the burn-in of sequences, as networks with memory see them.

  A policy starts with the state that was stored before the burn-in. Critics, which no actor has, start with none.
  """

  sequences: updates.Sequences
  count: int

  @property
  def action(self) -> core.Nest:
    return self._steps.action

  def policy(self, network: Any) -> Any:
    state = self.sequences.warmed(network, lambda rows: rows.observation, self.sequences.state)
    return networks.unroll(network, self._steps.observation, state, self._steps.first)[0]

  def critics(self, ensemble: Any) -> Critics:
    each = [self._critic(member) for member in ensemble.members]
    return lambda action: tf.stack([q(action) for q in each])

  def _critic(self, critic: Any) -> Critics:
    """What a critic says of any actions, after those that were taken before."""
    steps, taken = self._steps, lambda rows: (rows.observation, rows.action)
    state = self.sequences.warmed(critic, taken, critic.initial_state(steps.first.shape[0]))
    before = critic.states_before(taken(steps), state, steps.first)
    return lambda action: critic.step_each((steps.observation, action), before)

  @property
  def _steps(self) -> core.Step:
    return tf.nest.map_structure(lambda x: x[:, : self.count], self.sequences.steps)
