"""Sequences, from which networks with memory learn behind a burn-in (Kapturowski et al. 2019, R2D2)."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional

import tensorflow as tf

from tfacme import configs, core


class Sequences(NamedTuple):
  """A batch of sequences, parted behind its burn-in."""

  burn_in: core.Step  # rows that only warm up the state of a network, [B, N, ...]; N may be 0
  steps: core.Step  # rows to learn from, and one more to bootstrap from, [B, T + 1, ...]
  mask: tf.Tensor  # float [B, T + 1], 1 where one of `steps` starts a transition
  state: core.Nest  # that was stored with the very first row, [B, ...]; zeros in recorded data

  def warmed(self, network: Any, inputs: Callable[[core.Step], core.Nest], state: core.Nest) -> core.Nest:
    """The state of a network behind the burn-in, [B, ...], through which no gradient flows.

    Args:
      network: a `networks.Unrollable`.
      inputs: what it takes of rows, such as their observations.
      state: of it before the burn-in, [B, ...].
    """
    if self.burn_in.first.shape[1]:
      _, state = network.unroll(inputs(self.burn_in), state, self.burn_in.first)
    return tf.nest.map_structure(tf.stop_gradient, state)


def sequences(batch: core.Batch, burn_in: int) -> Sequences:
  """A batch of items as of `tables.sequences`: burn_in + T + 1 rows, whose state is that of the first one."""
  state = tf.nest.map_structure(lambda x: x[:, 0], batch.steps.extras['state'])
  steps = batch.steps._replace(extras=())
  part = lambda rows: tf.nest.map_structure(lambda x: x[:, rows], steps)
  return Sequences(part(slice(burn_in)), part(slice(burn_in, None)), batch.mask[:, burn_in:], state)


def is_seen(steps: core.Step, config: Optional[configs.SequenceConfig] = None) -> Optional[tf.Tensor]:
  """Float [B, T]: 1 where a row is one of the environment's, 0 where it fills up an item whose episode has ended.

  Args:
    steps: of a batch.
    config: of items that are sequences; None of transitions, which end where their episode does.

  Returns:
    It; None of transitions that keep the two observations at their ends alone, which are the environment's.
  """
  if config is None and tf.nest.flatten(steps.observation)[0].shape[1] == 2:
    return None
  if config is not None and config.across_episodes:
    return tf.ones(steps.last.shape)
  ended = tf.cumsum(tf.cast(steps.last, tf.float32), axis=1, exclusive=True)
  return tf.cast(ended < 0.5, tf.float32)
