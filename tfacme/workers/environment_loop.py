"""The loop between an actor and its environments."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import time
from typing import Any, Callable, Deque, List, Optional, Sequence

import dm_env
import numpy as np
import tree

from tfacme import core, errors, specs
from tfacme.loggers import Logger
from tfacme.replay.packing import Codec
from tfacme.replay.streams import StreamWriter
from tfacme.workers import counting, observing, recording, tallies, timesteps

_EPISODES = 20  # the newest, over which the return that a display shows is averaged


@dataclasses.dataclass(frozen=True)
class LoopParts:
  """What an environment loop is made of.

  Attributes:
    name: of its node.
    environments: one for each slot.
    spec: of the environments.
    codec: of the rows.
    writers: where they go; one for each slot.
    actor: who chooses the actions.
    tally: the node's side of the counter.
    logger: gets a row at every so many episodes.
    log_every: how many.
    observers: make more columns for it; each is called once for each slot.
    recorder: writes its episodes as a data set; None if they are not recorded.
    again: makes the environment of a slot anew that has failed, or raises its error; None is to raise it.
    clock: seconds; for the columns that tell the time.
  """

  name: str
  environments: Sequence[dm_env.Environment]
  spec: specs.EnvironmentSpec
  codec: Codec
  writers: Sequence[StreamWriter]
  actor: core.Actor
  tally: tallies.Tally
  logger: Logger
  log_every: int = 1
  observers: Sequence[Callable[[], Any]] = ()
  recorder: Optional[recording.Recorder] = None
  again: Optional[Callable[[int, Exception], dm_env.Environment]] = None
  clock: Callable[[], float] = time.time


class Rows:
  """The packed rows that N slots are filling: row i is (o_t, a_t, r_{t+1}, ...) of slot i."""

  def __init__(self, codec: Codec, slots: int):
    columns = codec.rows(slots)
    steps, self.version = codec.views(columns)
    self.steps = steps
    self.columns = [{name: column[i] for name, column in columns.items()} for i in range(slots)]
    self.observation = tree.flatten(steps.observation)
    self._actions = tree.flatten(steps.action)
    self._action = steps.action if isinstance(steps.action, np.ndarray) else None
    self._extras = tree.flatten(steps.extras)
    self._floats = [leaf for leaf in self.observation if leaf.dtype.kind == 'f']
    self._types = specs.ActionTypes('The actor', codec.step_spec.action)
    self._type: Optional[np.dtype] = None  # of the last actions, if they are a single array
    self._unchecked = True  # until what an actor adds has been looked at once

  def act(self, actions: core.Nest, extras: core.Nest) -> None:
    """Writes a_t and what the actor adds, of all slots."""
    if self._unchecked:
      _check_extras(self.steps.extras, extras)
      self._unchecked = False
    if actions.__class__ is np.ndarray and actions.dtype is self._type and actions.shape == self._action.shape:
      self._action[...] = actions
    else:
      leaves = tree.flatten(actions)
      self._types.check(leaves)
      _put('actions', self._actions, leaves)
      self._type = actions.dtype if self._action is not None else None
    if self._extras:
      _put('extras', self._extras, tree.flatten(extras))

  def end(self, slot: int) -> None:
    """Makes a slot's row the one of the final observation: all else is zero."""
    for name, column in self.columns[slot].items():
      if name != 'observation':
        column[:] = 0
    self.steps.last[slot] = True

  def finite(self) -> bool:
    """Whether all observations are finite numbers."""
    return all(map(timesteps.finite, self._floats))


class EnvironmentLoop:
  """Steps the environments of one actor, each of its slots once a step; a `core.Worker`.

  It asks before the environments step whether replay has room, so a rate limiter never stops it halfway, and whether
  the run's budget has steps left, so that a run ends at exactly its steps.
  """

  runs_until_blocked = False

  def __init__(self, parts: LoopParts):
    self.name = parts.name
    self._parts = parts
    self._actor = parts.actor
    self.tally = parts.tally
    self._environments = list(parts.environments)
    slots = len(self._environments)
    self._writers = list(parts.writers)
    self._rows = Rows(parts.codec, slots)
    self._intake = timesteps.Intake(parts.spec, self._rows.observation, self._where)
    self._over = [True] * slots  # whose episode has ended: the next step begins one
    self._returns = np.zeros((slots, *parts.spec.rewards.shape))
    self._lengths = [0] * slots
    self._recent: Deque[float] = collections.deque(maxlen=_EPISODES)
    self._observed = observing.Observers(self.name, parts.observers, slots)
    self._observers = self._observed.of
    self._reset_of = [environment.reset for environment in self._environments]
    self._step_of = [environment.step for environment in self._environments]
    self._timed: Callable[[str, Callable[..., Any]], Callable[..., Any]] = lambda part, call: call
    self._take = _taker(parts.spec.actions)
    self._unit = 'actor_steps'
    self._unmade = 0  # steps of this round that were none, since an environment has failed
    self._done = False
    self._join()
    self._started = (parts.clock() - self.tally.held, self.tally.counts[self._unit])

  def _join(self) -> None:
    """Begins, or goes on, with its counts."""
    recorder = self._parts.recorder
    self.tally.join([self._unit, 'actor_episodes', *([recording.RECORDED] if recorder else [])])
    if recorder is not None:
      recorder.begin(self.tally)
      self._writers = [recorder.around(writer) for writer in self._writers]

  def step(self, wait: float) -> core.Outcome:
    """Steps each slot once."""
    if self._done:
      return core.Progress.DONE
    for writer in self._writers:
      blocked = writer.flush(wait / len(self._writers))
      if blocked is not None:
        return blocked
    count = self.tally.allowance(self._unit, len(self._environments))
    if count == 0:
      return self._wait(wait) if self.tally.phase < counting.ACTING else self._finish(wait)
    self._actor.update()
    begun = [slot for slot in range(count) if self._over[slot]]
    for slot in begun:
      self._begin(slot)
    rows = self._rows
    if begun and not rows.finite():
      self._explain()
    actions, extras = self._actor.act(rows.steps.observation, rows.steps.first, self.tally.total(self._unit))
    rows.act(actions, extras)
    rows.version[:] = self._actor.version
    for slot in range(count):
      self._step(slot)
    self.tally.add(self._unit, count - self._unmade)
    self._unmade = 0
    self.tally.claim_next(self._unit, len(self._environments))
    if not rows.finite():
      self._explain()
    return core.Progress.DID

  def close(self) -> None:
    """See `core.Worker`."""
    self._close_outputs()
    close_all(self._environments)

  def measured(self, watch: Any) -> None:
    """Has its parts timed, by a `debugging.profiling.Watch`."""
    # The environments stay what they are: observers and actors hold them too.
    self._timed = watch.timed
    self._reset_of = [watch.timed('resets', reset) for reset in self._reset_of]
    self._step_of = [watch.timed('environments', step) for step in self._step_of]
    if hasattr(self._actor, 'measured'):
      self._actor.measured(watch)  # type: ignore[attr-defined]
    self._actor = watch.around(self._actor, act='acting', update='variables')
    self._writers = [watch.around(writer, append='writing rows', flush='writing rows') for writer in self._writers]

  def _begin(self, slot: int) -> None:
    while True:
      try:
        timestep = self._reset_of[slot]()
        break
      except Exception as error:
        self._make_again(slot, error)
    self._over[slot] = False
    self._rows.steps.last[slot] = False
    self._rows.steps.first[slot] = True
    self._intake.begin(slot, timestep.observation)
    self._returns[slot], self._lengths[slot] = 0.0, 0
    for observer in self._observers[slot]:
      observer.observe_first(self._environments[slot], timestep)

  def _step(self, slot: int) -> None:
    rows = self._rows
    steps = rows.steps
    action = self._take(steps.action, slot)
    try:
      timestep = self._step_of[slot](action)
    except Exception as error:
      return self._cut_off(slot, error)
    reward = timestep.reward
    self._intake.check_reward(slot, timestep)
    steps.reward[slot] = reward
    steps.discount[slot] = timestep.discount
    writer = self._writers[slot]
    writer.append(rows.columns[slot], False)
    self._returns[slot] += reward
    self._lengths[slot] += 1
    last = timestep.last()
    self._intake.observe(slot, timestep.observation, last)
    steps.first[slot] = False
    for observer in self._observers[slot]:
      observer.observe(self._environments[slot], action, timestep)
    if last:
      self._write_last(slot)
      self._over[slot] = True
      self._log(slot)

  def _write_last(self, slot: int) -> None:
    """Writes the row of the final observation."""
    version = self._rows.version[slot]
    self._rows.end(slot)
    self._rows.version[slot] = version
    self._writers[slot].append(self._rows.columns[slot], True)

  def _cut_off(self, slot: int, error: Exception) -> None:
    """Ends the episode of a slot whose environment has failed, as if a limit of steps had: its last step was none."""
    self._make_again(slot, error)
    self._over[slot] = True
    self._unmade += 1
    if self._lengths[slot]:  # Else nothing of it was written.
      self._write_last(slot)

  def _make_again(self, slot: int, error: Exception) -> None:
    if self._parts.again is None:
      raise error
    environment = self._parts.again(slot, error)
    self._environments[slot] = environment
    self._reset_of[slot] = self._timed('resets', environment.reset)
    self._step_of[slot] = self._timed('environments', environment.step)

  def _log(self, slot: int) -> None:
    self.tally.add('actor_episodes')
    columns = episode_columns(self._returns[slot], self._lengths[slot])
    self._recent.append(columns['episode_return'])
    self.tally.notes['recent_return'] = sum(self._recent) / len(self._recent)
    if self.tally.counts['actor_episodes'] % self._parts.log_every:
      return
    now = self._parts.clock()
    steps = self.tally.total(self._unit) + slot + 1
    seconds = max(now - self.tally.held - self._started[0], 1e-9)
    row = {
      'actor_steps': steps,
      'actor_episodes': self.tally.total('actor_episodes'),
      'learner_steps': self._actor.version,
      'variables_age': max(0, self.tally.total('learner_steps') - self._actor.version),
      **columns,
      'steps_per_second': (self.tally.counts[self._unit] - self._started[1]) / seconds,
      'timestamp': now,
      **self._observed.columns(slot),
    }
    self._parts.logger.write(row)

  def _wait(self, wait: float) -> core.Outcome:
    if wait:
      time.sleep(wait)
    return core.Blocked('the prefills to be written')

  def _finish(self, wait: float) -> core.Outcome:
    for writer in self._writers:
      blocked = writer.flush(wait / len(self._writers), everything=True)
      if blocked is not None:
        return blocked
    self._close_outputs()  # Before: once all have finished, the run ends.
    self.tally.report(finished=True)
    self._done = True
    self.close()
    return core.Progress.DONE

  def _close_outputs(self) -> None:
    if self._parts.recorder is not None:
      self._parts.recorder.close()
    self._parts.logger.close()

  def _where(self, slot: int) -> str:
    return f'{self.name} at its step {self.tally.counts[self._unit] + slot + 1}, slot {slot}'

  def _explain(self) -> None:
    slots = range(len(self._environments))
    values = [(slot, _strange(self._rows.steps.observation, slot)) for slot in slots]
    where = '; '.join(f'slot {slot}: observation has {value}' for slot, value in values if value)
    raise timesteps.not_finite(f'{self.name} at its step {self.tally.counts[self._unit]}: {where}')


def close_all(environments: List[dm_env.Environment]) -> None:
  """Closes environments, each of them once; an error in one of them is raised after the others are closed."""
  with contextlib.ExitStack() as closing:
    while environments:
      closing.callback(environments.pop().close)


def episode_columns(episode_return: np.ndarray, length: float) -> dict[str, float]:
  """The columns of an episode; a reward with several parts adds one for each."""
  if isinstance(episode_return, float):  # As a scalar of numpy is, for which its sum takes microseconds.
    return {'episode_return': float(episode_return), 'episode_length': length}
  columns = {'episode_return': float(np.sum(episode_return)), 'episode_length': length}
  if np.ndim(episode_return):
    columns.update({f'episode_return_{i}': float(part) for i, part in enumerate(np.ravel(episode_return))})
  return columns


def _put(what: str, leaves: Sequence[np.ndarray], values: Sequence[np.ndarray]) -> None:
  """Writes what an actor gave into the rows."""
  for leaf, value in zip(leaves, values, strict=True):
    if leaf.shape != value.shape:  # An assignment would broadcast it.
      raise ValueError(f'The actor gave {what} of shape {value.shape}, and the rows take {leaf.shape}.')
    leaf[...] = value


def _check_extras(rows: core.Nest, given: core.Nest) -> None:
  """Raises a `UserError` unless an actor adds what its builder said of it."""
  names = [sorted(specs.paths(nest)) for nest in (given, rows)]
  if names[0] != names[1]:
    raise errors.UserError(
      f'The actor adds {names[0] or "nothing"} to a row, and its rows have {names[1] or "nothing"}: what an actor of '
      'your own adds is what `Builder.extras` says.'
    )


def _strange(nest: core.Nest, slot: int) -> Optional[str]:
  for leaf in tree.flatten(nest):
    values = np.ravel(leaf[slot])
    if values.dtype.kind == 'f' and not np.isfinite(values).all():
      return str(values[~np.isfinite(values)][0])
  return None


def _taker(spec: core.Nest) -> Callable[[core.Nest, int], Any]:
  """A function that takes one slot's action out of a batch, as its environment wants it."""
  if specs.is_array(spec):
    return lambda actions, slot: actions[slot].copy() if actions.ndim > 1 else actions[slot]
  return lambda actions, slot: tree.map_structure(lambda leaf: leaf[slot].copy(), actions)
