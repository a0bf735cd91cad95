"""The actor that almost all agents use: it calls a policy for all slots at once."""

from __future__ import annotations

from typing import Any, Optional, Tuple

import numpy as np
import tensorflow as tf
import tree
from dm_env import specs as dm_specs

from tfacme import core, errors, mistakes, networks, schedules, seeds, specs
from tfacme.tensors import compiling, memory, states


class PolicyActor:
  """Acts in N slots by one call of a compiled policy; see `core.Actor`."""

  def __init__(self, parts: core.ActorParts):
    self._variables = parts.variables
    slots = len(parts.environments)
    initial = parts.policy.initial_state(slots)
    self._stateful = bool(tf.nest.flatten(initial))
    index = parts.first_index + np.arange(slots, dtype=np.int32)
    observation = compiling.tensor_specs(parts.environment_spec.observations, slots)
    numbers = numbers_spec(slots)
    state = tf.nest.map_structure(lambda s: tf.TensorSpec(s.shape, s.dtype), initial)
    actions = parts.environment_spec.actions
    step = policy_step(parts.policy, actions, index, parts.slots, parts.budget, parts.evaluation)
    self._act = compiling.Compiled(step, [observation, state, numbers])
    # The inputs of each call lie in the same memory, so that a call converts nothing.
    staged = [memory.aligned_empty(s.shape, s.dtype.as_numpy_dtype) for s in [*tf.nest.flatten(observation), numbers]]
    *self._staged, self._numbers = staged
    *self._observation, self._given_numbers = map(memory.as_input, staged)
    self._numbers[:] = 0
    self._numbers[0] = parts.seed
    self._first, self._episodes = self._numbers[3 : 3 + slots], self._numbers[3 + slots :]
    self._episodes[:] = -1
    self._begun = False  # whether `_first` says that an episode begins, in any slot
    self._state = tf.nest.flatten(initial)
    # Where actions, extras and state lie among the flat outputs: TensorFlow's nests cost more than a small network.
    self._actions, self._extras, _ = self._act.outputs
    self._single = isinstance(self._actions, tf.TensorSpec)
    self._ends = len(tree.flatten(self._actions)), len(tree.flatten((self._actions, self._extras)))

  def measured(self, watch: Any) -> None:
    """Shows its operations in a trace, by a `debugging.profiling.Watch`."""
    self._act.flat = watch.visible(self._act)

  @property
  def version(self) -> int:
    """Of the variables that it acts with."""
    return self._variables.version

  def update(self) -> None:
    """Pulls newer variables, if there are any."""
    self._variables.update()

  def act(self, observation: core.Nest, first: np.ndarray, steps: int) -> Tuple[core.Nest, core.Nest]:
    """Actions and extras [N, ...] for observations [N, ...]; where `first` [N], the policy's state is reset."""
    numbers = self._numbers
    numbers[1] += 1
    numbers[2] = steps
    begins = True in first.tolist()
    if begins or self._begun:  # Most steps begin no episode, and neither did the one before.
      self._begun = begins
      self._first[:] = first
      self._episodes += self._first
    leaves = [observation] if isinstance(observation, np.ndarray) else tree.flatten(observation)
    for staged, leaf in zip(self._staged, leaves, strict=True):
      if leaf.shape != staged.shape:  # An assignment would broadcast it.
        raise ValueError(f'An observation of shape {leaf.shape} was given to a policy that takes {staged.shape}.')
      staged[...] = leaf
    outputs = self._act.flat([*self._observation, *self._state, self._given_numbers])
    if self._stateful:
      self._state = outputs[-len(self._state) :]
    middle, end = self._ends
    arrays = [x.numpy() for x in outputs[:end]]
    actions = arrays[0] if self._single else tree.unflatten_as(self._actions, arrays[:middle])
    return actions, tree.unflatten_as(self._extras, arrays[middle:]) if end > middle else self._extras


def policy_step(
  policy: core.Policy,
  action_spec: core.Nest,
  index: np.ndarray,
  slots: int,
  budget: Optional[int] = None,
  evaluation: bool = False,
):
  """The function of one call: (observation, state, numbers) -> (actions, extras, state).

  Its numbers, int64 [3 + 2 B], are the seed, how many calls there were, the steps of the run, and for each slot whether
  an episode begins and which one it is: one input costs a small network's call less than five.
  """
  count = len(index)
  phase = networks.Phase.EVALUATION if evaluation else networks.Phase.ACTING

  def step(observation: core.Nest, state: core.Nest, numbers: tf.Tensor):
    first = tf.cast(numbers[3 : 3 + count], tf.bool)
    if tf.nest.flatten(state):
      state = states.restart(first, policy.initial_state(count), state)
      # A state may hold on to an observation, whose memory is written again before the next call.
      observation = tf.nest.map_structure(lambda leaf: tf.raw_ops.DeepCopy(x=leaf), observation)
    episode = tf.cast(numbers[3 + count :], tf.int32)
    context = core.Context(
      seed=tf.cast(numbers[:2], tf.int32),
      steps=numbers[2],
      index=tf.constant(index),
      slots=tf.constant(slots, tf.int32),
      first=first,
      episode_seed=_episode_seeds(numbers[0], index, episode),
      episode=episode,
    )
    with networks.drawing(context.seed, phase), schedules.in_run(context.steps, budget):
      actions, state, extras = call_policy(policy, action_spec, observation, state, context)
    return actions, extras, state

  return step


def call_policy(
  policy: core.Policy, action_spec: core.Nest, observation: core.Nest, state: core.Nest, context: core.Context
) -> Tuple[core.Nest, core.Nest, core.Nest]:
  """Calls a policy: its actions [B, ...] as the environment takes them, the next state, and the extras.

  Raises:
    UserError: it returns something else, or actions that the environment does not have.
  """
  outputs = policy(observation, state, context)
  if not (isinstance(outputs, (tuple, list)) and len(outputs) == 3):
    raise mistakes.returned(policy, outputs, 'three things: actions, the next state and extras')
  actions, state, extras = outputs
  try:
    tf.nest.assert_same_structure(action_spec, actions, check_types=False)
  except (TypeError, ValueError) as error:
    raise errors.UserError(
      f'{mistakes.named(policy)} gives actions that are another nest than those of the environment, which are '
      f'{specs.paths(action_spec)}.'
    ) from error
  leaves = [
    _action(policy, action, spec, path, context)
    for action, (path, spec) in zip(tf.nest.flatten(actions), specs.paths(action_spec).items())
  ]
  return tf.nest.pack_sequence_as(actions, leaves), state, extras


def _action(policy: core.Policy, action: Any, spec: Any, path: str, context: core.Context) -> tf.Tensor:
  """A leaf of a policy's actions, in the type of the environment's."""
  if action is None:
    raise mistakes.returned(policy, None, f'actions {path}'.strip())
  action = tf.convert_to_tensor(action)
  specs.check_action_type(policy, action.dtype, spec, path)
  wanted = tf.TensorShape([context.first.shape[0], *spec.shape])
  if not wanted.is_compatible_with(action.shape):
    shapes = [str(shape).replace('None', 'B') for shape in (action.shape, wanted)]
    raise errors.UserError(
      f'{mistakes.named(policy)} gives {f"actions {path}".strip()} of shape {shapes[0]}, and has to give {shapes[1]}, '
      'an action for each observation.'
    )
  return tf.cast(action, tf.as_dtype(spec.dtype))


def numbers_spec(slots: int) -> tf.TensorSpec:
  """Of the numbers that a `policy_step` for so many slots takes."""
  return tf.TensorSpec([3 + 2 * slots], tf.int64)


def _episode_seeds(seed: tf.Tensor, index: np.ndarray, episode: tf.Tensor) -> tf.Tensor:
  """Seeds [B, 2] of the episodes of all slots, apart from those of single calls."""
  slot = tf.constant(seeds.derive(0, 'episodes') + np.array([seeds.derive(0, 'slot', i) for i in index.tolist()]))
  return tf.stack([tf.cast(seed + slot, tf.int32), episode], axis=1)


def create_variables(policy: core.Policy, spec: specs.EnvironmentSpec) -> Tuple[core.Nest, core.Nest]:
  """Creates the variables of a policy, some of which may be made at its first call only, by tracing it.

  Returns:
    Its actions and extras, as nests of `tf.TensorSpec` of batch size 1.
  """
  step = policy_step(policy, spec.actions, np.zeros(1, np.int32), 1, budget=1)

  def call(observation: core.Nest):
    actions, extras, _ = step(observation, policy.initial_state(1), tf.zeros(numbers_spec(1).shape, tf.int64))
    return actions, extras

  return networks.create_variables(call, spec.observations)


def extras_spec(policy: core.Policy, spec: specs.EnvironmentSpec) -> core.Nest:
  """The spec of what a policy adds to a row, found by tracing it."""
  _, extras = create_variables(policy, spec)
  return tf.nest.map_structure(lambda s: dm_specs.Array(s.shape[1:].as_list(), s.dtype.as_numpy_dtype), extras)
