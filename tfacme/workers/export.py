"""The policy as a SavedModel, which needs no tfacme to load."""

from __future__ import annotations

import errno
import os
import shutil
from typing import Any, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf
import tree

from tfacme import core, errors, mistakes, networks, schedules, seeds, specs
from tfacme.tensors import compiling, states
from tfacme.workers import acting, signatures

_MODEL = 'saved_model.pb'  # in the folder of a policy
_VARIABLES = os.path.join('variables', 'variables')  # the values of its variables there
_ASSETS = 'assets'  # files there that the graph reads
_OLD = '.old'  # of a folder's name, while another one takes its place


class ExportedPolicy(tf.Module):
  """What is saved: `act` and `initial_state`, for any number of observations at a time.

  Its state has the policy's and what `core.Context` says of the episode: whoever acts takes the initial state where an
  episode begins.
  """

  def __init__(self, policy: core.Policy, spec: specs.EnvironmentSpec, budget: int):
    super().__init__(name='exported_policy')
    self.policy = policy
    self.steps = tf.Variable(0, trainable=False, dtype=tf.int64, name='steps')  # that it was trained for

    def initial_state(batch_size: Any) -> core.Nest:
      return {
        'state': policy.initial_state(batch_size),
        'episode_begun': tf.zeros([batch_size], tf.bool),
        'episode_seed': tf.zeros([batch_size, 2], tf.int32),
      }

    state = tf.nest.map_structure(lambda s: tf.TensorSpec([None, *s.shape[1:]], s.dtype), initial_state(1))

    def act(observation: core.Nest, state: core.Nest, seed: tf.Tensor):
      batch_size = tf.shape(tf.nest.flatten(observation)[0])[0]
      first = ~state['episode_begun']
      # Other bits than those that the policy draws by the same seed.
      fresh = tf.random.stateless_uniform(
        [batch_size, 2], seed + [seeds.derive(0, 'episodes'), 0], minval=None, maxval=None, dtype=tf.int32
      )
      episode_seed = tf.where(first[:, tf.newaxis], fresh, state['episode_seed'])
      context = core.Context(
        seed=seed,
        steps=self.steps.read_value(),
        index=tf.zeros([batch_size], tf.int32),
        slots=tf.constant(1, tf.int32),
        first=first,
        episode_seed=episode_seed,
        episode=tf.zeros([batch_size], tf.int32),
      )
      with networks.drawing(seed, networks.Phase.EVALUATION), schedules.in_run(context.steps, max(1, budget)):
        action, policy_state, _ = acting.call_policy(policy, spec.actions, observation, state['state'], context)
      begun = tf.ones([batch_size], tf.bool)
      return action, {'state': policy_state, 'episode_begun': begun, 'episode_seed': episode_seed}

    self.act = tf.function(
      act,
      input_signature=[compiling.tensor_specs(spec.observations, None), state, tf.TensorSpec([2], tf.int32)],
      autograph=False,
    )
    self.initial_state = tf.function(initial_state, input_signature=[tf.TensorSpec([], tf.int32)], autograph=False)


def check(policy: core.Policy, spec: specs.EnvironmentSpec) -> None:
  """Raises a `UserError` if a policy can't be exported, which would otherwise fail at the end of a run."""

  def trace() -> None:
    exported = ExportedPolicy(policy, spec, 0)
    exported.act.get_concrete_function()
    exported.initial_state.get_concrete_function()

  try:
    compiling.attempt(trace)
  except errors.UserError:
    raise
  except Exception as error:
    raise errors.UserError(
      f'The evaluation policy can not be exported: {mistakes.describe(error)}; its functions have to take any '
      'number of observations at a time, as a tensor in `initial_state` too.'
    ) from error


class Exporter:
  """Writes a policy as a SavedModel, again and again: it is traced once, and its graph is built once.

  A SavedModel has two functions: `act(observation [B, ...], state, seed [2]) -> (action [B, ...], state)` and
  `initial_state(B) -> state`, where an episode begins. The seed is another one in each call, as for an actor; that of
  the episode is in the state. Its signatures, for servers, have of this what the policy needs, by names: see
  `signatures`.
  """

  def __init__(self, policy: core.Policy, spec: specs.EnvironmentSpec, budget: int):
    """Initializes the exporter.

    Args:
      policy: the evaluation policy.
      spec: of its environment.
      budget: steps of the run, which a schedule may ask for.
    """
    self._policy, self._spec, self._budget = policy, spec, budget
    # Not a cached property, whose lock is one for all exporters of a process in Python 3.10.
    self._traced: Optional[Tuple[ExportedPolicy, Mapping[str, Any]]] = None
    self._first: Optional[_Written] = None

  def trace(self) -> Tuple[ExportedPolicy, Mapping[str, Any]]:
    """Makes what `write` needs, which takes seconds, now rather than with the first policy that is written.

    Returns:
      What is saved, and its signatures.
    """
    if self._traced is None:
      exported = ExportedPolicy(self._policy, self._spec, self._budget)
      self._traced = exported, signatures.make(exported.act, exported.initial_state)
    return self._traced

  def write(self, path: str, steps: int) -> None:
    """Writes the policy as it is now.

    Args:
      path: a folder, whose earlier policy is there, or beside it, until the new one is whole; see `written`.
      steps: that it was trained for, in the unit of the budget.
    """
    partial = path + '.partial'
    self.save(partial, steps)
    put(partial, path)

  def save(self, path: str, steps: int) -> None:
    """Writes it into a new folder, or in the place of what is left of one."""
    shutil.rmtree(path, ignore_errors=True)
    exported, own_signatures = self.trace()
    exported.steps.assign(steps)
    if self._first is not None and self._first.again(exported, path):
      return
    tf.saved_model.save(exported, path, own_signatures)
    # What could not be written again once could not the next time.
    self._first = _Written.read(path) if self._first is None else _Written(None)


class _Written(NamedTuple):
  """A SavedModel as it was written first, of which all but the values of variables stays the same.

  To build its graph takes TensorFlow thirty times as long as to write the values.

  Attributes:
    model: its graph; None where it can't be written again by its variables alone.
    variables: their names and shapes.
  """

  model: Optional[bytes]
  variables: Sequence[Tuple[str, Sequence[int]]] = ()

  @classmethod
  def read(cls, path: str) -> _Written:
    """Reads it."""
    if os.listdir(os.path.join(path, _ASSETS)):  # Such as the words of a table.
      return cls(None)
    with open(os.path.join(path, _MODEL), 'rb') as file:
      return cls(file.read(), tf.train.list_variables(os.path.join(path, _VARIABLES)))

  def again(self, exported: ExportedPolicy, path: str) -> bool:
    """Writes it with the values of now into a new folder; whether that could be done, of the same variables."""
    if self.model is None:
      return False
    place = os.path.join(path, _VARIABLES)
    os.makedirs(os.path.dirname(place))
    tf.train.Checkpoint(exported).write(place)
    if tf.train.list_variables(place) != self.variables:
      shutil.rmtree(path)
      return False
    with open(os.path.join(path, _MODEL), 'wb') as file:
      file.write(self.model)
    return True


def put(made: str, path: str) -> None:
  """Puts the folder of a policy in the place of another one; of several that do so at a time, the last one's stays."""
  old = path + _OLD
  placed = False
  while not placed:
    if os.path.exists(path):  # Else the old one is all that there is.
      shutil.rmtree(old, ignore_errors=True)
      _renamed(path, old, errno.ENOENT)
    placed = _renamed(made, path)
  shutil.rmtree(old, ignore_errors=True)


def _renamed(path: str, other: str, *expected: int) -> bool:
  """Renames a folder; not where another process has put one there before, or for another error that is expected."""
  try:
    os.rename(path, other)
  except OSError as error:
    if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, *expected):
      raise
    return False
  return True


def written(path: str) -> str:
  """Where the policy of a folder is: there, or beside it, where the run was killed while it was replaced."""
  places = (place for place in (path, path + _OLD) if os.path.exists(os.path.join(place, _MODEL)))
  return next(places, path)


def replaced(place: str) -> str:
  """The folder of the policy that is in a place: the reverse of `written`."""
  return place.removesuffix(_OLD)


class LoadedPolicy:
  """A trained policy, one observation at a time: `action = policy(observation)`; `reset()` begins an episode.

  An action that is a named tuple is one of the same fields, whose class TensorFlow makes.
  """

  def __init__(self, path: str, seed: int = 0):
    place = written(path)
    if not os.path.exists(os.path.join(place, _MODEL)):
      raise errors.UserError(
        f'There is no trained policy in {path}; a run writes one after each checkpoint, and `--checkpoint STEPS` takes '
        'that of a checkpoint that is there.'
      )
    compiling.take_signals_elsewhere()
    self._model = tf.saved_model.load(place)
    arguments, _ = self._model.act.concrete_functions[0].structured_input_signature
    self._wanted = tf.nest.flatten(arguments[0])
    self._seed = seed
    self._calls = 0
    self._state: Any = None

  def __call__(self, observation: core.Nest) -> core.Nest:
    """The action for one observation."""
    # Copied, since a state may hold on to an observation, whose memory an environment may use again.
    batch = tree.map_structure(lambda x: np.array(x)[None], observation)
    first = np.array([self._state is None])
    return tree.map_structure(lambda x: x[0], self.act(batch, first))

  def reset(self) -> None:
    """Begins an episode."""
    self._state = None

  def act(self, observation: core.Nest, first: np.ndarray) -> core.Nest:
    """Actions [B, ...] for observations [B, ...]; where `first` [B], an episode begins."""
    initial = self._model.initial_state(len(first))
    if self._state is None:
      self._state = initial
    self._state = states.restart(first, initial, self._state)
    self._calls += 1
    seed = tf.constant([self._seed, self._calls], tf.int32)
    action, self._state = self._model.act(self._as_specified(observation), self._state, seed)
    return tree.map_structure(lambda x: x.numpy(), action)

  def _as_specified(self, observation: core.Nest) -> core.Nest:
    """The observations as tensors of the types that the policy takes."""
    wanted, given = self._wanted, [np.asarray(leaf) for leaf in tree.flatten(observation)]
    if [spec.shape[1:] for spec in wanted] != [leaf.shape[1:] for leaf in given]:
      shapes = [[tuple(leaf.shape[1:]) for leaf in leaves] for leaves in (given, wanted)]
      raise errors.UserError(f'An observation has the shapes {shapes[0]}, and the policy takes {shapes[1]}.')
    for spec, leaf in zip(wanted, given):
      if not np.can_cast(leaf.dtype, spec.dtype.as_numpy_dtype, 'same_kind'):
        raise errors.UserError(f'An observation is of type {leaf.dtype}, and the policy takes {spec.dtype.name}.')
    return tree.unflatten_as(observation, [tf.constant(leaf, spec.dtype) for leaf, spec in zip(given, wanted)])
