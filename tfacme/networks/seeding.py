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
import dataclasses
import itertools
import secrets
from typing import Any, Callable, Iterator, Optional, Sequence, Type

import tensorflow as tf
import tree

from tfacme import errors, seeds, specs
from tfacme.networks import distributions

_seeds: contextvars.ContextVar[Optional[Iterator[int]]] = contextvars.ContextVar('variable_seeds', default=None)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
  """Within it, the initial values of all modules are a function of `seed` and of the order of their creation."""
  token = _seeds.set(seeds.derive(seed, 'variables', index) for index in itertools.count())
  try:
    yield
  finally:
    _seeds.reset(token)


def next_seed() -> int:
  """The next seed within `seeded`, for an update that draws random numbers; outside of it, one by chance."""
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
  seed = next_seed()
  outputs = []

  @tf.function(autograph=False)
  def trace():
    tf.random.set_seed(seed)  # While tracing, this sets the seed of this graph only.
    inputs = [tree.map_structure(lambda spec: tf.zeros([1, *spec.shape], spec.dtype), nest) for nest in specs]
    outputs.append(tf.nest.map_structure(_spec, module(*inputs)))

  trace.get_concrete_function()
  return outputs[-1]


def create_unrolled(network: Any, observation_spec: Any) -> Any:
  """The same as `create_variables` for one step of a `networks.Unrollable` from its initial state."""
  return create_variables(lambda observation: network(observation, network.initial_state(1))[0], observation_spec)


def check_parts(agent: str, found: Any, kind: Type[Any]) -> None:
  """Raises a `UserError` unless networks have the parts of an agent's own, a dataclass such as `DQNNetworks`."""
  missing = [field.name for field in dataclasses.fields(kind) if not hasattr(found, field.name)]
  if missing:
    raise errors.UserError(
      f'{agent} needs networks with the parts of {kind.__name__}, and the {type(found).__name__} that the experiment '
      f'makes has no {" and no ".join(missing)}.'
    )


def check_output(what: str, output: Any, shape: Sequence[int], meaning: str) -> None:
  """Raises a `UserError` unless a module's output has a shape that its agent can use.

  Args:
    what: 'The Q network of DQN'.
    output: a `tf.TensorSpec` of batch size 1, or whatever `create_variables` returned for another module.
    shape: that it has to have for each observation.
    meaning: what the module has to return, as in '3 values, one for each action'.
  """
  found = getattr(output, 'shape', None)
  if found != (1, *shape):
    words = f'a {type(output).__name__}' if found is None else f'{found[1:]} for each observation'
    raise errors.UserError(f'{what} returns {words}, and has to return {meaning}.')


def check_distribution(what: str, output: Any, kind: Type[Any], shape: Sequence[int], meaning: str) -> None:
  """Raises a `UserError` unless a module returns a distribution of one kind, all of whose tensors have this shape."""
  if not isinstance(output, kind):
    raise errors.UserError(
      f'{what} returns a {type(output).__name__}, and has to return a networks.{kind.__name__}: {meaning}.'
    )
  for part in tf.nest.flatten(output):
    check_output(what, part, shape, meaning)


def check_actions(what: str, output: Any, action_spec: Any) -> None:
  """Raises a `UserError` unless a module returns a distribution of the actions of a spec, discrete or a vector."""
  discrete = specs.is_discrete(action_spec)
  kind = distributions.Categorical if discrete else distributions.Gaussian
  shape = (action_spec.num_values,) if discrete else action_spec.shape
  check_distribution(what, output, kind, shape, f'a distribution of {shape[0]} actions')


def _spec(output: Any) -> tf.TensorSpec:
  """The spec of one output; of a sample, if it is a distribution."""
  shape = output.batch_shape + output.event_shape if hasattr(output, 'event_shape') else output.shape
  return tf.TensorSpec(shape, output.dtype)
