"""Target networks: copies that follow the networks that learn."""

from __future__ import annotations

import copy
from typing import Any, Optional

import tensorflow as tf

from tfacme import configs, errors


class Target(tf.Module):
  """A copy of a network, or of any module, that is updated by a period or by a rate.

  Attributes:
    network: the copy.
  """

  def __init__(self, online: Any, period: Optional[int] = None, rate: Optional[float] = None):
    """Copies a module whose variables exist.

    Args:
      online: what it follows.
      period: calls of `update` between copies (Mnih et al. 2015); or None.
      rate: share of the way that each call of `update` goes (Lillicrap et al. 2016, algorithm 1: tau); or None.
    """
    super().__init__(name='target')
    if (period is None) == (rate is None):
      raise errors.UserError('A target follows either by a period or by a rate; give one of the two.')
    self._online = online
    self._period, self._rate = period, rate
    self._updates = tf.Variable(0, trainable=False, dtype=tf.int64, name='updates') if period is not None else None
    self.network = copy.deepcopy(online)

  @classmethod
  def of(cls, online: Any, config: configs.TargetConfig) -> Target:
    """A target network from a config."""
    return cls(online, config.target_update_period, config.target_update_rate)

  def __call__(self, *args: Any) -> Any:
    """Calls the copy."""
    return self.network(*args)

  def update(self) -> None:
    """Updates the copy; called once in each learning step, after the online network's own step."""
    pairs = list(zip(self.network.variables, self._online.variables))
    if self._rate is not None:
      for old, new in pairs:
        old.assign_add(self._rate * (new - old))
      return
    assert self._updates is not None and self._period is not None
    # A choice of values, not of branches: a graph without branches runs in one thread, which is faster for small ones.
    due = tf.equal(self._updates.assign_add(1) % self._period, 0)
    for old, new in pairs:
      old.assign(tf.where(due, new, old))
