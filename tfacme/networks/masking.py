"""Masks of legal actions: a named part of the observation, `action_mask`, and what they do to a network's output.

Agents call their networks through `evaluate`, `step` or `unroll`. So an illegal action has the value `ILLEGAL`, or
probability 0, wherever a policy acts, explores, learns or is bootstrapped from.
"""

from __future__ import annotations

from typing import Any, Optional, Tuple

import tensorflow as tf

from tfacme import core, specs

ILLEGAL = -1e9  # Far below any value or logit, and finite, so that nothing that is computed of it is NaN.


def legal_actions(observation: core.Nest) -> Optional[core.Nest]:
  """Which actions are legal: the part `action_mask` of an observation, a nest of bool [..., A]; None if it has none."""
  mask = specs.action_mask(observation)
  return None if mask is None else tf.nest.map_structure(lambda leaf: tf.cast(leaf, tf.bool), mask)


def masked(output: Any, legal: Optional[core.Nest]) -> Any:
  """A network's output with illegal actions masked.

  Args:
    output: action values [..., A], a distribution of actions, or whatever else has a method `masked(legal)`.
    legal: as of `legal_actions`. Where nothing is legal, as in a final observation, all values are 0, and a
      distribution stays what it is.
  """
  if legal is None:
    return output
  if hasattr(output, 'masked'):
    return output.masked(legal)
  outside = tf.where(tf.reduce_any(legal, axis=-1, keepdims=True), ILLEGAL, 0.0)
  return tf.where(legal, output, tf.cast(outside, output.dtype))


def evaluate(network: Any, observation: core.Nest) -> Any:
  """The output of a network without memory for observations [B, ...], with illegal actions masked."""
  return masked(network(observation), legal_actions(observation))


def initial_state(network: Any, batch_size: Any) -> core.Nest:
  """The state of any network at the start of an episode, [B, ...]; `()` of one without memory."""
  return network.initial_state(batch_size) if hasattr(network, 'initial_state') else ()


def step(network: Any, observation: core.Nest, state: core.Nest) -> Tuple[Any, core.Nest]:
  """One step of any network, with memory or without: (output with illegal actions masked, next state)."""
  if not hasattr(network, 'initial_state'):
    return evaluate(network, observation), state
  output, state = network(observation, state)
  return masked(output, legal_actions(observation)), state


def unroll(network: Any, observation: core.Nest, state: core.Nest, first: tf.Tensor) -> Tuple[Any, core.Nest]:
  """A sequence through a `networks.Unrollable`: (outputs [B, T, ...] with illegal actions masked, state after it)."""
  output, state = network.unroll(observation, state, first)
  return masked(output, legal_actions(observation)), state
