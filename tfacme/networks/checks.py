"""What builders check of the networks that they are given, with errors of one sentence."""

from __future__ import annotations

import dataclasses
from typing import Any, Sequence, Type

import tensorflow as tf

from tfacme import errors, specs
from tfacme.networks import distributions


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
