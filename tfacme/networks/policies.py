"""Policies that several agents share."""

from __future__ import annotations

from typing import Any, Tuple

import sonnet as snt
import tensorflow as tf

from tfacme import core, specs
from tfacme.networks import distributions


class MemorylessPolicy(tf.Module):
  """What the policies without memory have in common."""

  def initial_state(self, batch_size: int) -> core.Nest:
    """It has none, `()`."""
    del batch_size
    return ()


class DistributionPolicy(MemorylessPolicy):
  """Samples from its network's distribution, or takes the mode; a `core.Policy`.

  Continuous actions are on the scale from -1 to 1 in the network, and what lies beyond is cut off for the environment.
  The extras of a sample are the `sample` itself, before that, and the `log_prob` of it; a mode has none.
  """

  def __init__(self, network: snt.Module, action_spec: Any, mode: bool):
    """Initializes the policy.

    Args:
      network: from a nest of observations [B, ...] to a `Categorical` or a `Gaussian`.
      action_spec: of the environment, discrete or a vector with bounds.
      mode: whether it takes the mode.
    """
    super().__init__(name='policy')
    self._network = network
    self._action_spec = action_spec
    self._mode = mode

  def __call__(
    self, observation: core.Nest, state: core.Nest, context: core.Context
  ) -> Tuple[tf.Tensor, core.Nest, core.Nest]:
    """From observations [B, ...] to actions [B] or [B, D], with the extras in the row."""
    distribution = self._network(observation)
    if self._mode:
      return self._as_action(distribution.mode()), state, ()
    sample = distribution.sample(context.seed)
    return self._as_action(sample), state, {'sample': sample, 'log_prob': distribution.log_prob(sample)}

  def _as_action(self, sample: tf.Tensor) -> tf.Tensor:
    if specs.is_discrete(self._action_spec):
      return tf.cast(sample, tf.as_dtype(self._action_spec.dtype))
    return distributions.to_bounds(tf.clip_by_value(sample, -1.0, 1.0), self._action_spec)
