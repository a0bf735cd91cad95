"""The signatures of an exported policy: functions of tensors by names, for servers and for converters.

What an exported policy is given and gives back fits whatever a policy may ask for: a seed, and a state that says of
each episode whether it has begun and what is drawn by throughout. Most policies need little of that. A signature is cut
out of the graph of the whole: it has no input beside the observation that the actions do not depend on, and no
operation that leads to none of its outputs.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, Iterable, List, Mapping, Sequence, Set, Tuple

import tensorflow as tf
import tree

SERVING = 'serving_default'  # the name of the signature that servers and converters take if they are told none
INITIAL_STATE = 'initial_state'
OBSERVATION, ACTION, SEED = 'observation', 'action', 'seed'
BATCH_SIZE = 'batch_size'
NEXT = 'next_'  # before the names by which the state comes in: those by which the next one goes out


def make(act: Any, initial_state: Any) -> Dict[str, Any]:
  """The signatures of a policy, for `tf.saved_model.save`.

  An array goes by the name of its argument, such as `observation`; a nest is taken apart, and each of its arrays is
  named by its path: `observation_position`, `state_hidden`.

  Args:
    act: a `tf.function` with an input signature, from an observation, the state, a dict, and a seed to (action, next
      state).
    initial_state: a `tf.function` from a number of observations to the state where an episode begins.

  Returns:
    `serving_default`; and `initial_state`, if the actions depend on what was before.
  """
  inputs, outputs, prune = _traced(act)
  optional = {SEED, *outputs}
  actions = [name for name in outputs if name not in inputs]
  needed = _needed(inputs, outputs, actions)
  state = [name for name in outputs if name in needed]
  taken = {name: tensor for name, tensor in inputs.items() if name in needed or name not in optional}
  cut = prune(
    list(taken.values()),
    {**{name: outputs[name] for name in actions}, **{NEXT + name: outputs[name] for name in state}},
  )
  serving = _concrete(lambda **leaves: cut(*[leaves[name] for name in taken]), taken)
  if not state:
    return {SERVING: serving}

  def initial(batch_size: tf.Tensor) -> Mapping[str, tf.Tensor]:
    leaves = _by_name(initial_state.python_function(batch_size))
    return {name: leaves[name] for name in state}

  return {SERVING: serving, INITIAL_STATE: _concrete(initial, {BATCH_SIZE: tf.TensorSpec([], tf.int32)})}


def _traced(act: Any) -> Tuple[Dict[str, tf.Tensor], Dict[str, tf.Tensor], Callable[..., Any]]:
  """The inputs and outputs of its graph by names, and what cuts a function out of that."""
  observation, state, seed = act.input_signature
  arguments = {OBSERVATION: observation, SEED: seed, **state}

  def named(*leaves: tf.Tensor) -> Mapping[str, tf.Tensor]:
    given = tf.nest.pack_sequence_as(arguments, leaves)
    action, after = act.python_function(given[OBSERVATION], {part: given[part] for part in state}, given[SEED])
    return {name: tf.identity(leaf) for name, leaf in _by_name({ACTION: action, **after}).items()}

  specs = _by_name(arguments)
  # It has no control dependencies of its own, so what leads to no output can be left out.
  whole = tf.compat.v1.wrap_function(named, list(specs.values()))
  return dict(zip(specs, whole.inputs)), whole.structured_outputs, whole.prune


def _concrete(function: Callable[..., Any], inputs: Mapping[str, Any]) -> Any:
  specs = {name: tf.TensorSpec(tensor.shape, tensor.dtype, name) for name, tensor in inputs.items()}
  return tf.function(function, autograph=False).get_concrete_function(**specs)


def _by_name(nest: Mapping[str, Any]) -> Dict[str, Any]:
  """The leaves of a nest by names that are made of their paths, in the order of `tf.nest.flatten`."""
  named: Dict[str, Any] = {}
  for path, leaf in tree.flatten_with_path(nest):
    name = plain = re.sub(r'\W', '_', '_'.join(map(str, path)))
    while name in named:  # The paths a/b and a_b give one name.
      name = f'{plain}_{len(named)}'
    named[name] = leaf
  return named


def _needed(inputs: Mapping[str, tf.Tensor], outputs: Mapping[str, tf.Tensor], wanted: Sequence[str]) -> Set[str]:
  """The inputs that some outputs depend on, in this call or, through the state, in a later one."""
  names = {tensor.op.name: name for name, tensor in inputs.items()}
  needed: Set[str] = set()
  open_ends: List[str] = list(wanted)
  while open_ends:
    upstream = _upstream(outputs[open_ends.pop()].op)
    found = {names[operation.name] for operation in upstream if operation.name in names} - needed
    needed |= found
    open_ends += [name for name in found if name in outputs]
  return needed


def _upstream(operation: tf.Operation) -> Iterable[tf.Operation]:
  """An operation and all those that it depends on."""
  seen, open_ends = {operation.name: operation}, [operation]
  while open_ends:
    last = open_ends.pop()
    before = [tensor.op for tensor in last.inputs] + list(last.control_inputs)
    fresh = {one.name: one for one in before if one.name not in seen}
    seen.update(fresh)
    open_ends.extend(fresh.values())
  return seen.values()
