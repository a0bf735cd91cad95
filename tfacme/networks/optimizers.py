"""The state of Sonnet's optimizers."""

from __future__ import annotations

from typing import Sequence

import sonnet as snt
import tensorflow as tf


def create_slots(optimizer: snt.Optimizer, parameters: Sequence[tf.Variable]) -> None:
  """Creates the variables of an optimizer, so that they can be saved and restored before its first step.

  Args:
    optimizer: creates its variables (Adam's moments) when it is first applied.
    parameters: what it is going to be applied to.
  """

  @tf.function(autograph=False)
  def trace():
    optimizer.apply([tf.zeros_like(parameter) for parameter in parameters], parameters)

  trace.get_concrete_function()  # Traces the step without taking it.
