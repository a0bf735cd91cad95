"""Initial values that are a function of a seed, without TensorFlow's global seed.

    with seeded(seed):
      module = snt.nets.MLP([64, 64, 3])
      output = create_variables(module, environment_spec.observations)  # a nest of tf.TensorSpec, [1, 3]

Sonnet's initializers draw from stateful operations, which take their seed from the graph that they are in. A traced
`tf.function` has a graph of its own, so a seed that is set while tracing touches nothing else.
"""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import random
import secrets
from typing import Any, Callable, Iterator, List, Optional, Tuple

import tensorflow as tf
import tree
from tensorflow.python.eager import lift_to_graph
from tensorflow.python.ops import resource_variable_ops

from tfacme import mistakes, seeds
from tfacme.networks import randomness
from tfacme.tensors import compiling

_seeds: contextvars.ContextVar[Optional[Iterator[int]]] = contextvars.ContextVar('variable_seeds', default=None)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
  """Within it, the initial values of all modules are a function of `seed` and of the order of their creation."""
  token = _seeds.set(seeds.derive(seed, 'variables', index) for index in itertools.count())
  state = random.getstate()
  random.seed(seed)  # From there Keras takes the seeds of initializers that were given none.
  try:
    yield
  finally:
    random.setstate(state)
    _seeds.reset(token)


def next_seed() -> int:
  """The next seed within `seeded`; outside of it, one by chance."""
  stream = _seeds.get()
  return secrets.randbits(31) if stream is None else next(stream)


def create_variables(module: Callable[..., Any], *specs: Any) -> Any:
  """Creates the variables of a module, whose shapes are known at its first call only, and checks its shapes.

  The module is traced, and not run, on zeros of batch size 1. Variables that exist already are left alone: those of an
  earlier call, and those made in a constructor. A constructor runs eagerly, outside the reach of `seeded`: constants
  are fine there, and random values are not.

  Args:
    module: a Sonnet module, or any other callable of tensors.
    *specs: its arguments, each a nest of `dm_env` specs (or of tensor specs without the batch's dimension).

  Returns:
    What the module returns, as a nest of `tf.TensorSpec` of batch size 1.
  """
  seed, outputs, variables = next_seed(), [], _Variables()

  def trace() -> None:
    tf.random.set_seed(seed)  # While tracing, this sets the seed of this graph only.
    variables.graph = tf.compat.v1.get_default_graph()
    with randomness.drawing(tf.constant([seed, 0])), tf.variable_creator_scope(variables.create):
      inputs = [tree.map_structure(lambda spec: tf.zeros([1, *spec.shape], spec.dtype), nest) for nest in specs]
      output = module(*inputs)
    if output is None:
      raise mistakes.returned(module, output, 'its output')
    outputs.append(tf.nest.map_structure(_spec, output))

  traced = tf.function(trace, autograph=False)  # It keeps the graph of the trace that has made variables.
  compiling.attempt(traced.get_concrete_function)
  variables.initialize()
  return outputs[-1]


_OF_VARIABLES = ('name', 'trainable', 'constraint', 'synchronization', 'aggregation', 'shape')


class _Variables:
  """The variables that a module makes while it is traced: zeros, until all are given their values at once.

  A `tf.function` would make them too, with a condition in its graph for each and a second trace without: that takes
  more than twice as long, for the same values. What is made elsewhere, as Keras does, is left to it.

  Attributes:
    graph: that of the trace.
  """

  def __init__(self) -> None:
    self.graph: Any = None
    self._made: List[Tuple[tf.Variable, tf.Tensor]] = []  # each with its initial value, which is in the graph

  def create(self, create: Callable[..., tf.Variable], **given: Any) -> tf.Variable:
    """Makes a variable; see `tf.variable_creator_scope`."""
    if tf.executing_eagerly() or tf.compat.v1.get_default_graph() is not self.graph:
      return create(**given)
    initial = given['initial_value']
    initial = tf.convert_to_tensor(initial() if callable(initial) else initial, given.get('dtype'))
    with tf.init_scope():
      zeros = tf.zeros(initial.shape, initial.dtype)
      kept = {what: given[what] for what in _OF_VARIABLES if what in given}
      variable = resource_variable_ops.ResourceVariable(zeros, **kept)
    self._made.append((variable, initial))
    return variable

  def initialize(self) -> None:
    """Gives all of them their values."""
    if not self._made:
      return

    def assign() -> None:
      copies = lift_to_graph.lift_to_graph([value for _, value in self._made], tf.compat.v1.get_default_graph())
      for variable, value in self._made:
        variable.assign(copies[value])

    tf.function(assign, autograph=False).get_concrete_function()()


def create_unrolled(network: Any, *specs: Any) -> Any:
  """The same as `create_variables` for one step of a `networks.Unrollable` from its initial state.

  What it takes is one nest: of several specs a tuple, such as (observation, action) of a critic with memory.
  """

  def step(*inputs: Any) -> Any:
    return network(inputs if len(inputs) > 1 else inputs[0], network.initial_state(1))[0]

  return create_variables(step, *specs)


def _spec(output: Any) -> tf.TensorSpec:
  """The spec of one output; of a sample, if it is a distribution."""
  shape = output.batch_shape + output.event_shape if hasattr(output, 'event_shape') else output.shape
  return tf.TensorSpec(shape, output.dtype)
