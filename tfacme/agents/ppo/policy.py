"""The policy of PPO: a sample of its distribution, whose log-probability goes into the row."""

from __future__ import annotations

from typing import Any, Tuple

import sonnet as snt
import tensorflow as tf

from tfacme import core, networks, specs


class PPOPolicy(tf.Module):
  """Samples from the policy's distribution; an evaluation takes the mode.

  Its extras are the `sample`, which for continuous actions may lie beyond the bounds that the action is cut to, and the
  `log_prob` of it.
  """

  def __init__(self, policy: snt.Module, action_spec: Any, evaluation: bool):
    super().__init__(name='policy')
    self._policy = policy
    self._action_spec = action_spec
    self._evaluation = evaluation

  def initial_state(self, batch_size: int) -> core.Nest:
    """It has no memory."""
    del batch_size
    return ()

  def __call__(
    self, observation: core.Nest, state: core.Nest, context: core.Context
  ) -> Tuple[tf.Tensor, core.Nest, core.Nest]:
    """From observations [B, ...] to actions [B] or [B, D], with the extras in the row."""
    distribution = self._policy(observation)
    if self._evaluation:
      return self._as_action(distribution.mode()), state, ()
    sample = distribution.sample(context.seed)
    extras = {'sample': sample, 'log_prob': distribution.log_prob(sample)}
    return self._as_action(sample), state, extras

  def _as_action(self, sample: tf.Tensor) -> tf.Tensor:
    if specs.is_discrete(self._action_spec):
      return tf.cast(sample, tf.as_dtype(self._action_spec.dtype))
    return networks.to_bounds(tf.clip_by_value(sample, -1.0, 1.0), self._action_spec)
