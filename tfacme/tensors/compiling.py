"""Compiled functions that are called for every step of an environment or a learner.

Most of what a call of a `tf.function` costs for a small network is Python: matching arguments to signatures. Here the
signature is fixed once, and a call is one raw operation on a flat list of inputs.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from typing import Any, Callable, List, Optional, Sequence

import numpy as np
import tensorflow as tf


class Compiled:
  """A function of tensors, compiled for one signature.

  Attributes:
    outputs: the nest of `tf.TensorSpec` that it returns.
  """

  def __init__(self, function: Callable[..., Any], specs: Sequence[Any], seed: Optional[int] = None):
    """Traces `function`, with variables that it makes created at once.

    Args:
      function: takes nests of tensors and returns a nest of tensors.
      specs: a nest of `tf.TensorSpec` for each argument.
      seed: of the stateful random operations in the graph, if there are any; the global seed is not used.
    """

    def seeded(*args: Any) -> Any:
      if seed is not None:
        tf.random.set_seed(seed)  # Inside a trace this is the seed of this graph alone.
      outputs = function(*args)
      return () if outputs is None else outputs

    take_signals_elsewhere()
    self._function = tf.function(seeded, autograph=False).get_concrete_function(*specs)
    self._captures = list(self._function.captured_inputs)
    self._types = [output.dtype for output in self._function.outputs]
    self._structure = self._function.structured_outputs
    self.outputs = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), self._structure)

  def flat(self, inputs: Sequence[Any]) -> List[tf.Tensor]:
    """Calls it with the flat leaves of its arguments; returns the flat leaves of its result."""
    return tf.raw_ops.StatefulPartitionedCall(args=[*inputs, *self._captures], Tout=self._types, f=self._function)

  def pack(self, outputs: Sequence[Any]) -> Any:
    """The nest of flat results."""
    return tf.nest.pack_sequence_as(self._structure, outputs)

  def __call__(self, *args: Any) -> Any:
    """Calls it with nests; `flat` is faster where that matters."""
    return self.pack(self.flat(tf.nest.flatten(args)))


def take_signals_elsewhere() -> None:
  """Has the main thread, which is the one that signals come to, handle them on a stack of its own.

  In some of oneDNN's matrix products (TensorFlow 2.12, AVX-512, an inner dimension of some hundreds) the stack pointer
  points into the heap. A signal that is handled meanwhile, a Ctrl-C for one, is written over what lies there. Python
  handles signals on the alternate stack of a thread that has one, and its fault handler brings one along. Whatever
  makes compiled functions calls this; more than once does no harm.
  """
  if threading.current_thread() is threading.main_thread() and not faulthandler.is_enabled():
    faulthandler.enable(sys.__stderr__ or open(os.devnull, 'w'))  # pylint: disable=consider-using-with


def tensor_specs(specs: Any, *leading: Optional[int]) -> Any:
  """`tf.TensorSpec`s of a nest of array specs, with more dimensions in front."""
  return tf.nest.map_structure(lambda s: tf.TensorSpec((*leading, *s.shape), tf.as_dtype(s.dtype)), specs)


class Values:
  """Reads and writes a list of variables in one call each."""

  def __init__(self, variables: Sequence[tf.Variable]):
    self._read = Compiled(lambda: [v.read_value() for v in variables], [])
    specs = [tf.TensorSpec(v.shape, v.dtype) for v in variables]

    def write(values: Sequence[tf.Tensor]) -> None:
      for variable, value in zip(variables, values):
        variable.assign(value)

    self._write = Compiled(write, [specs])

  def read(self) -> List[Any]:
    """The values, as tensors: later writes don't touch them, and to write them elsewhere costs no conversion."""
    return self._read.flat([])

  def write(self, values: Sequence[Any]) -> None:
    """Assigns new values; copies of them if they are arrays."""
    # A variable may take over the memory of an array that it is given, and would change it with its own value.
    self._write.flat([value if isinstance(value, tf.Tensor) else np.array(value) for value in values])
