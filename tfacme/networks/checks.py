"""Checks of networks, for builders, with errors of one sentence."""

from __future__ import annotations

import dataclasses
from typing import Any, List, Optional, Sequence, Type

import numpy as np
import tensorflow as tf
import tree

from tfacme import errors, specs
from tfacme.networks import actions, actor_critic, distributions, masking, seeding


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


def check_values(what: str, output: Any, action_spec: Any) -> None:
  """Raises a `UserError` unless a module gives one value for each action of a discrete spec."""
  actions = action_spec.num_values
  check_output(what, output, (actions,), f'{actions} values, one for each action')


def check_memory(agent: str, network: Any) -> None:
  """Raises a `UserError` unless a network has a recurrent state."""
  if not _has_memory(network):
    raise errors.UserError(f'{agent} needs a network with a recurrent state, and this one has none; DQN needs none.')


def check_distribution(what: str, output: Any, kind: Type[Any], shape: Sequence[int], meaning: str) -> None:
  """Raises a `UserError` unless a module returns a distribution of one kind, all of whose tensors have this shape."""
  if not isinstance(output, kind):
    raise errors.UserError(
      f'{what} returns a {type(output).__name__}, and has to return a networks.{kind.__name__}: {meaning}.'
    )
  for part in tf.nest.flatten(output):
    check_output(what, part, shape, meaning)


def check_actions(what: str, output: Any, action_spec: Any, continuous: Type[Any] = distributions.Gaussian) -> None:
  """Raises a `UserError` unless a module returns a distribution of the actions of a spec.

  Args:
    what: 'The policy network of PPO'.
    output: what `create_variables` returned.
    action_spec: of the environment, any nest of choices and of real numbers.
    continuous: the kind of distribution that the real numbers have.
  """
  if not specs.is_array(action_spec):
    for (path, spec), part in zip(specs.paths(action_spec).items(), _parts(what, output, action_spec)):
      check_actions(f'{what}, in {path},', part, spec, continuous)
  elif specs.is_multi_discrete(action_spec):
    _check_kind(what, output, distributions.MultiCategorical, f'of {action_spec.num_values.size} choices')
    for logits, size in zip(output.logits, np.ravel(action_spec.num_values), strict=True):
      check_output(what, logits, (size,), f'logits of {size} values')
  else:
    discrete = specs.is_discrete(action_spec)
    size = action_spec.num_values if discrete else specs.size(action_spec)
    kind = distributions.Categorical if discrete else continuous
    check_distribution(what, output, kind, (size,), f'a distribution of {size} actions')


def check_policy_and_critics(
  agent: str,
  made: Any,
  spec: specs.EnvironmentSpec,
  continuous: Type[Any],
  value: Optional[Type[Any]] = None,
  memory: bool = False,
) -> None:
  """Raises a `UserError` unless policy and critics fit an environment; creates their variables if need be.

  Args:
    agent: its name.
    made: the networks, such as `networks.PolicyAndCritics`.
    spec: of the environment, whose actions are real numbers.
    continuous: the kind of distribution that the policy returns.
    value: the kind of distribution over values that each critic returns, such as `networks.Quantiles`; None is a single
      value.
    memory: whether all of them have to have memory, or none may.
  """
  check_parts(agent, made, actor_critic.PolicyAndCritics)
  if not made.critics:
    raise errors.UserError(f'{agent} needs at least one critic, and these networks have none.')
  _check_memories(agent, made, memory)
  create = seeding.create_unrolled if memory else seeding.create_variables
  output = create(made.policy, spec.observations)
  check_actions(f'The policy network of {agent}', output, spec.actions, continuous)
  inputs = spec.observations, actions.network_spec(spec.actions)
  outputs = [create(critic, *inputs) for critic in made.critics]
  for output in outputs:
    if value is None:
      check_output(f'A critic of {agent}', output, (), 'a single value')
    else:
      _check_kind(f'A critic of {agent}', output, value, 'over values')
      shape = tf.nest.flatten(output)[0].shape
      if shape.rank != 2:
        raise errors.UserError(
          f'A critic of {agent} returns a networks.{value.__name__} of shape {shape}, and has to return one of [B, N].'
        )
  # They are evaluated together, by a `networks.Ensemble`.
  shapes = [tf.nest.flatten(output)[0].shape[1:] for output in outputs]
  other = next((shape for shape in shapes if shape != shapes[0]), None)
  if other is not None:
    raise errors.UserError(f'The critics of {agent} return {shapes[0]} and {other} numbers, and have to be alike.')


def _has_memory(network: Any) -> bool:
  return bool(tf.nest.flatten(masking.initial_state(network, 1)))


def _check_memories(agent: str, made: Any, memory: bool) -> None:
  """Raises a `UserError` unless the policy and all critics have memory, or none of them has."""
  for what, network in [('policy', made.policy), *(('critic', critic) for critic in made.critics)]:
    if _has_memory(network) and not memory:
      raise errors.UserError(
        f'{agent} learns from single transitions here, by networks without memory, and this {what} has one; leave it '
        'out, or let the agent learn from sequences, if it has a trace_length (--config.trace_length).'
      )
    if memory and not _has_memory(network):
      raise errors.UserError(
        f'{agent} learns from sequences here, by a policy and critics with memory, and this {what} has none; give each '
        'of them one (--networks.lstm_size), or leave trace_length out.'
      )


def _parts(what: str, output: Any, action_spec: Any) -> List[Any]:
  """The distributions of the parts of nested actions."""
  if not isinstance(output, distributions.Joint):
    raise errors.UserError(
      f'{what} returns a {type(output).__name__}, and has to return a networks.Joint, since actions are a nest.'
    )
  try:
    return tree.flatten_up_to(action_spec, output.parts)
  except (TypeError, ValueError) as error:
    wanted = tree.map_structure(lambda spec: spec.name or type(spec).__name__, action_spec)
    raise errors.UserError(
      f'{what} returns a networks.Joint whose parts are another nest than the actions, and has to return one of the '
      f'structure of {wanted}.'
    ) from error


def _check_kind(what: str, output: Any, kind: Type[Any], meaning: str) -> None:
  if not isinstance(output, kind):
    raise errors.UserError(
      f'{what} returns a {type(output).__name__}, and has to return a networks.{kind.__name__} {meaning}.'
    )
