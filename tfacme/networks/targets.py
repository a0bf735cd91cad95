"""Target networks: copies that follow the networks that learn."""

from __future__ import annotations

import tensorflow as tf


def follow(target: tf.Module, online: tf.Module, rate: float) -> None:
  """Moves the target's variables by a share of the way to the online ones (Lillicrap et al. 2016, algorithm 1, tau)."""
  for old, new in zip(target.variables, online.variables):
    old.assign_add(rate * (new - old))


def copy_every(target: tf.Module, online: tf.Module, period: int, steps: tf.Tensor) -> None:
  """Copies the online variables to the target where `steps` [] is a multiple of `period` (Mnih et al. 2015)."""
  # A choice of values, not of branches: a graph without branches runs in one thread, which is faster for small ones.
  due = tf.equal(steps % period, 0)
  for old, new in zip(target.variables, online.variables):
    old.assign(tf.where(due, new, old))
