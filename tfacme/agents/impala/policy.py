"""The policy of IMPALA: a sample of its distribution, whose logits go into the row."""

from __future__ import annotations

from typing import Tuple

import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import core, networks


class IMPALAPolicy(tf.Module):
  """Samples from the policy's distribution; an evaluation takes the likeliest action.

  Its extras are the `logits`, and the `state` before the action.
  """

  def __init__(self, network: networks.Unrollable, action_spec: dm_specs.DiscreteArray, evaluation: bool):
    super().__init__(name='policy')
    self._network = network
    self._dtype = tf.as_dtype(action_spec.dtype)
    self._evaluation = evaluation

  def initial_state(self, batch_size: int) -> core.Nest:
    """The network's own."""
    return self._network.initial_state(batch_size)

  def __call__(
    self, observation: core.Nest, state: core.Nest, context: core.Context
  ) -> Tuple[tf.Tensor, core.Nest, core.Nest]:
    """From observations [B, ...] and the state before them to actions [B], the next state, and the extras."""
    output, next_state = self._network(observation, state)
    if self._evaluation:
      return tf.cast(output.policy.mode(), self._dtype), next_state, ()
    action = output.policy.sample(context.seed)
    return tf.cast(action, self._dtype), next_state, {'logits': output.policy.logits, 'state': state}
