"""Compiled functions that are called for every step of an environment or a learner.

Most of what a call of a `tf.function` costs for a small network is Python: matching arguments to signatures. Here the
signature is fixed once, and a call is one raw operation on a flat list of inputs.
"""

from __future__ import annotations

import contextlib
import contextvars
import faulthandler
import os
import sys
import threading
from typing import Any, Callable, Iterator, List, Optional, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context as tf_context

from tfacme import mistakes
from tfacme.tensors import operations

_LARGE = 30_000  # products of numbers for each operation of a graph, from which on it gains by several threads

_eager: contextvars.ContextVar[bool] = contextvars.ContextVar('eager', default=False)
_fails: contextvars.ContextVar[bool] = contextvars.ContextVar('fails', default=False)


@contextlib.contextmanager
def eagerly(seed: int) -> Iterator[None]:
  """Within it, functions that would be compiled run as the Python that they are, and so do all of TensorFlow's own.

  They compute the same numbers, as far as a graph computes them in the same order.

  Args:
    seed: of random operations that have none of their own; the global seed is what it was afterwards.
  """
  context = tf_context.context()
  before = {name: vars(context).get(name) for name in ('_seed', '_rng')}  # No function of TensorFlow gives them back.
  ran_eagerly = tf.config.functions_run_eagerly()
  token = _eager.set(True)
  tf.random.set_seed(seed)
  tf.config.run_functions_eagerly(True)
  try:
    yield
  finally:
    vars(context).update(before)
    tf.config.run_functions_eagerly(ran_eagerly)
    _eager.reset(token)


def runs_eagerly() -> bool:
  """Whether functions that would be compiled run as the Python that they are: see `eagerly`."""
  return _eager.get()


def attempt(trace: Callable[[], Any]) -> Any:
  """Traces something; within `eagerly`, what fails is traced once more, stopping at breakpoints: see `stops`."""
  try:
    return trace()
  except Exception:
    if _eager.get():
      token = _fails.set(True)
      try:
        trace()
      finally:
        _fails.reset(token)
    raise


def stops() -> bool:
  """Whether a breakpoint is worth a stop here: where there are values, or where shapes show why a trace fails."""
  return tf.executing_eagerly() or _fails.get()


class Compiled:
  """A function of tensors, compiled for one signature.

  Within `eagerly` it is not: each call runs the function's Python on the values, so that it can be stopped in.
  """

  def __init__(self, function: Callable[..., Any], specs: Sequence[Any], seed: Optional[int] = None):
    """Traces `function`, with variables that it makes created at once.

    Args:
      function: takes nests of tensors and returns a nest of tensors.
      specs: a nest of `tf.TensorSpec` for each argument.
      seed: of the stateful random operations in the graph, if there are any; the global seed is not used.
    """
    take_signals_elsewhere()
    self._python, self._specs, self._seed = function, specs, seed
    if _eager.get():
      self.flat = self._call_python
    else:
      self.trace()

  def trace(self) -> None:
    """Traces the function, unless that is done: its variables exist then, and its `outputs` are known."""
    if hasattr(self, '_function'):
      return

    def seeded(*args: Any) -> Any:
      if self._seed is not None:
        tf.random.set_seed(self._seed)  # Inside a trace this is the seed of this graph alone.
      outputs = self._python(*args)
      return () if outputs is None else outputs

    self._function = tf.function(seeded, autograph=False).get_concrete_function(*self._specs)
    self._captures = list(self._function.captured_inputs)
    self._executor = executor(self._function.graph)
    self._types = [output.dtype for output in self._function.outputs]
    self._structure = self._function.structured_outputs

  @property
  def outputs(self) -> Any:
    """The nest of `tf.TensorSpec` that it returns."""
    self.trace()
    return tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), self._structure)

  def flat(self, inputs: Sequence[Any]) -> List[tf.Tensor]:
    """Calls it with the flat leaves of its arguments; returns the flat leaves of its result."""
    try:
      return tf.raw_ops.StatefulPartitionedCall(
        args=[*inputs, *self._captures], Tout=self._types, f=self._function, executor_type=self._executor
      )
    except tf.errors.OpError as error:
      mistakes.made_by(error, operations.stack(self._function.graph, str(error)))
      raise

  def visibly(self, inputs: Sequence[Any]) -> List[tf.Tensor]:
    """The same as `flat`, called so that TensorFlow's profiler sees the operations in it, which costs more."""
    if _eager.get():
      return self._call_python(inputs)
    leaves = [tf.convert_to_tensor(leaf) for leaf in inputs]
    return tf.nest.flatten(self._function(*tf.nest.pack_sequence_as(self._specs, leaves)))

  def _call_python(self, inputs: Sequence[Any]) -> List[tf.Tensor]:
    """What `flat` is within `eagerly`."""
    # Copies: a function may keep what it is given, whose memory is written again before the next call.
    leaves = [tf.constant(np.array(leaf), spec.dtype) for leaf, spec in zip(inputs, tf.nest.flatten(self._specs))]
    outputs = self._python(*tf.nest.pack_sequence_as(self._specs, leaves))
    self._structure = tf.nest.map_structure(tf.convert_to_tensor, () if outputs is None else outputs)
    return tf.nest.flatten(self._structure)

  def pack(self, outputs: Sequence[Any]) -> Any:
    """The nest of flat results."""
    return tf.nest.pack_sequence_as(self._structure, outputs)

  def __call__(self, *args: Any) -> Any:
    """Calls it with nests; `flat` is faster where that matters."""
    return self.pack(self.flat(tf.nest.flatten(args)))


def executor(graph: Any) -> str:
  """The type of executor that a graph is run by: '' leaves it to TensorFlow, 'DEFAULT' has several threads.

  TensorFlow runs a graph without branches and loops in one thread, whatever the number of threads. So twin critics, or
  a network and its target, would never be computed side by side. Where operations are small, handing them to other
  threads costs more than it gains. What is computed is the same in any case, bit for bit.
  """
  threads = tf.config.threading.get_inter_op_parallelism_threads() or len(os.sched_getaffinity(0))
  if threads == 1:
    return ''
  operations_ = graph.get_operations()
  return 'DEFAULT' if sum(map(_products, operations_)) > _LARGE * len(operations_) else ''


def _products(operation: tf.Operation) -> int:
  """How many products of two numbers an operation of a graph adds up; 0 of one that does something else."""
  shapes, (first, *_) = [x.shape for x in operation.inputs], [x.shape for x in operation.outputs] or [None]
  if operation.type == 'MatMul':
    depth, numbers = shapes[0][0 if operation.get_attr('transpose_a') else 1], first
  elif operation.type == 'BatchMatMulV2':
    depth, numbers = shapes[0][-2 if operation.get_attr('adj_x') else -1], first
  elif operation.type in ('Conv2D', 'Conv2DBackpropInput'):
    depth, numbers = shapes[1][:3].num_elements(), first if operation.type == 'Conv2D' else shapes[2]
  elif operation.type == 'Conv2DBackpropFilter':
    depth, numbers = first[:3].num_elements(), shapes[2]
  else:
    return 0
  return (depth or 0) * (numbers.num_elements() or 0)


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
