"""Networks that are unrolled over sequences, with memory or without: one class for both."""

from __future__ import annotations

from typing import List, Optional, Tuple

import sonnet as snt
import tensorflow as tf

from tfacme import core
from tfacme.tensors import states


def lstm(size: Optional[int]) -> Optional[snt.RNNCore]:
  """An LSTM of so many units (Hochreiter & Schmidhuber 1997, with a forget gate); None if the size is."""
  return None if size is None else snt.LSTM(size)


class Unrollable(snt.Module):
  """A torso, a recurrent core if there is one, and a head.

  Torso and head see all steps of a sequence at once; only the core goes through it step by step, in a graph without
  loops, since a loop costs a small core more than its own work.
  """

  def __init__(
    self, torso: snt.Module, head: snt.Module, rnn: Optional[snt.RNNCore] = None, name: Optional[str] = None
  ):
    """Initializes the network.

    Args:
      torso: from a nest of observations [B, ...] to features [B, F].
      head: from features [B, H] to a nest of outputs [B, ...].
      rnn: from features [B, F] and a state to features [B, H] and the next state; None for a network without memory.
      name: of the module.
    """
    super().__init__(name)
    self._torso = torso
    self._head = head
    self._rnn = rnn

  def initial_state(self, batch_size: int) -> core.Nest:
    """The state at the start of an episode, [B, ...]; `()` without memory."""
    return () if self._rnn is None else self._rnn.initial_state(batch_size)

  def __call__(self, observation: core.Nest, state: core.Nest) -> Tuple[core.Nest, core.Nest]:
    """One step: from observations [B, ...] and the state before them to outputs [B, ...] and the next state."""
    features = self._torso(observation)
    if self._rnn is not None:
      features, state = self._rnn(features, state)
    return self._head(features), state

  def unroll(self, observation: core.Nest, state: core.Nest, first: tf.Tensor) -> Tuple[core.Nest, core.Nest]:
    """A sequence: outputs [B, T, ...] for observations [B, T, ...], and the state after it.

    Args:
      observation: a nest of observations [B, T, ...].
      state: before the first of them, [B, ...].
      first: bool [B, T]: where an episode begins, before which the state is reset.
    """
    batch, length = first.shape
    features = _split(self._torso(_merge(observation)), batch, length)
    if self._rnn is not None:
      features, _, state = self._recur(features, state, first)
    return tf.nest.map_structure(lambda x: _split(x, batch, length), self._head(_merge(features))), state

  def states_before(self, observation: core.Nest, state: core.Nest, first: tf.Tensor) -> core.Nest:
    """The state before each step of a sequence, [B, T, ...]: for `step_each`, from the arguments of `unroll`."""
    if self._rnn is None:
      return ()
    features = _split(self._torso(_merge(observation)), *first.shape)
    _, before, _ = self._recur(features, state, first)
    return tf.nest.map_structure(lambda *leaves: tf.stack(leaves, axis=1), *before)

  def step_each(self, observation: core.Nest, before: core.Nest) -> core.Nest:
    """Outputs [B, T, ...] for observations [B, T, ...], each of them one step from a state of its own.

    With the observations of a sequence and its `states_before` they are those of `unroll`; with others, what it would
    have given for them there.

    Args:
      observation: a nest of observations [B, T, ...].
      before: the states, [B, T, ...].
    """
    batch, length = tf.nest.flatten(observation)[0].shape[:2]
    output, _ = self(_merge(observation), _merge(before))
    return tf.nest.map_structure(lambda x: _split(x, batch, length), output)

  def _recur(
    self, features: tf.Tensor, state: core.Nest, first: tf.Tensor
  ) -> Tuple[tf.Tensor, List[core.Nest], core.Nest]:
    """What the core gives for features [B, T, F], the states before each of the T steps, and that after them."""
    assert self._rnn is not None
    fresh, outputs, before = self._rnn.initial_state(first.shape[0]), [], []
    for t in range(first.shape[1]):
      before.append(states.restart(first[:, t], fresh, state))
      output, state = self._rnn(features[:, t], before[-1])
      outputs.append(output)
    return tf.stack(outputs, axis=1), before, state


def _merge(nest: core.Nest) -> core.Nest:
  """[B, T, ...] -> [B * T, ...]."""
  return tf.nest.map_structure(lambda x: tf.reshape(x, [-1, *x.shape[2:]]), nest)


def _split(x: tf.Tensor, batch: int, length: int) -> tf.Tensor:
  """[B * T, ...] -> [B, T, ...]."""
  return tf.reshape(x, [batch, length, *x.shape[1:]])
