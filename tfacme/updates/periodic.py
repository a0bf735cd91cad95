"""Steps that are taken periodically."""

from __future__ import annotations

from typing import Callable, Dict, Mapping

import tensorflow as tf

from tfacme import errors


class Every(tf.Module):
  """Takes a step once in `period` calls: a delayed policy (Fujimoto et al. 2018, section 5.2), a slow model.

  The step is traced once, as a branch of the learning step's graph, and not computed where it is not due.
  """

  def __init__(self, period: int):
    super().__init__(name='every')
    errors.count('The period of a step', period)
    self._period = period
    self._calls = tf.Variable(0, trainable=False, dtype=tf.int64, name='calls')
    self._metrics: Dict[str, tf.Variable] = {}

  def __call__(self, step: Callable[[], Mapping[str, tf.Tensor]]) -> Dict[str, tf.Tensor]:
    """Takes the step in this call if it is due, from the first call of each period on.

    Args:
      step: learns, and returns metrics, scalars by name.

    Returns:
      The metrics of the last step that was taken.
    """
    due = tf.equal(self._calls % self._period, 0)
    self._calls.assign_add(1)

    def take() -> tf.Tensor:
      for name, value in step().items():
        self._metric(name).assign(tf.cast(value, tf.float32))
      return tf.constant(True)

    with tf.control_dependencies([tf.cond(due, take, lambda: tf.constant(False))]):
      return {name: metric.read_value() for name, metric in self._metrics.items()}

  def _metric(self, name: str) -> tf.Variable:
    if name not in self._metrics:
      with tf.init_scope():
        self._metrics = {**self._metrics, name: tf.Variable(0.0, trainable=False, name=name)}
    return self._metrics[name]
