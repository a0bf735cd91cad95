"""The learner: one for all agents. An `Update` says what a learning step is; everything else about one is here."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import tempfile
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf
import tree

from tfacme import checkpoints, core, errors, experiments, networks, schedules
from tfacme.loggers import Logger
from tfacme.replay.readers import Opened, OpenSource
from tfacme.tensors import compiling, memory
from tfacme.workers import counting, saved, tallies, variables
from tfacme.workers import outputs as outputs_lib

_FIRST_ROWS = 100  # at most, one for each learner step
_REPORT_EVERY = 10  # learner steps between two reports to the counter
_PATIENCE = 0.1  # seconds between two looks whether recorded data are there


@dataclasses.dataclass(frozen=True)
class LearnerParts:
  """What a learner is made of.

  Attributes:
    name: of its node.
    update: the algorithm.
    source: where its batches come from.
    tally: the node's side of the counter.
    logger: gets a row at every so many learner steps.
    log_every: how many; and at each of the first 100 at most, which tell whether it learns at all.
    updates_per_call: learning steps in one call of the compiled function.
    random: the seeds that the update draws.
    seed: of random operations in the update, if it has any without a seed of their own.
    budget: of the run; if it is in learner steps, it says when the learner is done. None if there is no run.
    paced: whether a rate limiter paces it; if nothing does, it is done when the actors are.
    networks: the agent's, by whose parts variables are named.
    replay: a `streams.Readable` whose size and ratio of samples to inserts are logged, or None.
    clock: seconds; for the columns that tell the time.
  """

  name: str
  update: core.Update
  random: networks.Randomness
  source: OpenSource
  tally: tallies.Tally
  logger: Logger
  log_every: int = 100
  updates_per_call: int = 1
  seed: int = 0
  budget: Optional[experiments.Budget] = None
  paced: bool = True
  networks: Any = None
  replay: Any = None
  clock: Callable[[], float] = time.time


class Learner:
  """Learns, counts, logs, writes priorities back, serves variables, saves: a worker and a `core.VariableSource`."""

  def __init__(self, parts: LearnerParts):
    self.name = parts.name
    self._parts = parts
    self._update = parts.update
    self._source = parts.source
    self.tally = parts.tally
    self._budgeted = parts.budget is not None and parts.budget.unit == 'learner_steps'
    packed = [parts.source.specs() for _ in range(parts.updates_per_call)]
    self._compiled = compiling.Compiled(self._call, [packed, tf.TensorSpec([], tf.int64)], seed=parts.seed)
    self._run_steps = memory.aligned_empty([], np.int64)  # of the run, for schedules; written before each call
    self._given_run_steps = memory.as_input(self._run_steps)
    self._direct: Optional[Callable[[Any], core.UpdateOutput]] = None
    self._published = variables.published(parts.update, parts.networks)
    self._values = {name: compiling.Values(list(own.values())) for name, own in self._published.items()}
    self._answers: Dict[Tuple[str, ...], variables.Answer] = {}
    self._steps = 0
    self._batches: List[Opened] = []  # read for the next call of the compiled function
    self._before: Any = None  # where the source stood before it read them
    self._lock = threading.Lock()  # Variables are served between two steps, never in the middle of one.
    self._reading = _FairLock()  # And saved when nobody is reading.
    self._started = (parts.clock(), 0)
    self._reading_seconds = 0.0  # since then
    self._done = False
    self._copy: Optional[tempfile.TemporaryDirectory] = None  # of what the first step still restores from
    self._broken: Optional[errors.NonFiniteError] = None  # why it can't continue
    self.tally.join(['learner_steps'])

  @property
  def runs_until_blocked(self) -> bool:
    """See `core.Worker`: what a rate limiter or a budget limits, ends by itself."""
    return self._parts.paced and not self._budgeted

  @property
  def networks(self) -> Any:
    """The agent's, with the variables that it learns."""
    return self._parts.networks

  @property
  def steps(self) -> int:
    """Learning steps so far: the version of its variables."""
    return self._steps

  def step(self, wait: float) -> core.Outcome:
    """Makes as many learning steps as one call of the compiled function has."""
    if self._done:
      return core.Progress.DONE
    count = self._parts.updates_per_call
    if self._budgeted and self.tally.allowance('learner_steps', count) < count:
      return self._finish()
    if not self._parts.paced and not self._budgeted and self.tally.phase > counting.ACTING:
      return self._finish()
    with self._reading:
      if not self._batches:
        self._before = self._source.state()
      while len(self._batches) < count:
        started = self._parts.clock()
        read = self._source.read(wait, self._steps)
        self._reading_seconds += self._parts.clock() - started
        if isinstance(read, core.Blocked):
          return self._wait_for_data(read)
        self._batches.append(read)
      batches, self._batches = self._batches, []
      inputs = tree.flatten([batch.packed for batch in batches])
      with self._lock:
        self._run_steps[...] = self._so_far()
        finite, metrics, *priorities = self._compiled.flat([*inputs, self._given_run_steps])
        self._steps += count
        if not finite.numpy():
          self._broken = self._explanation(metrics.numpy())
    self._check_broken()
    self._after(batches, metrics, priorities)
    return core.Progress.DID

  def read(self, wait: float = 0.0) -> Any:
    """The next batch of its source, as `update` takes it; recorded data are waited for, as long as they take.

    Raises:
      UserError: there is none within `wait` seconds.
    """
    batch = self.try_read(wait)
    if isinstance(batch, core.Blocked):
      raise errors.UserError(
        f'There is no batch to read: the learner waits for {batch.reason}. A checkpoint of a run '
        'without servers has its replay, if that is saved (--checkpointing.replay); `update` takes a batch of your own '
        'too.'
      )
    return batch

  def try_read(self, wait: float = 0.0) -> Any:
    """The same as `read`, but for a `core.Blocked` where there is no batch."""
    with self._reading:
      read = self._source.read(wait, self._steps)
      while isinstance(read, core.Blocked) and read.passes:
        read = self._source.read(_PATIENCE, self._steps)
    if isinstance(read, core.Blocked):
      return read
    with self._parts.random.aside():  # A `Map` may draw.
      return self._source.unpack(tf.nest.map_structure(tf.constant, read.packed))

  def update(self, batch: Any) -> core.UpdateOutput:
    """One learning step on a batch of your own, without a graph around it (in a notebook)."""
    if self._direct is None:
      self._direct = tf.function(self._learn, autograph=False)
    with self._lock:
      run_steps = tf.constant(self._so_far(), tf.int64)
      output = self._direct(tf.nest.map_structure(tf.convert_to_tensor, batch), run_steps)
      self._steps += 1
    return output

  def get(self, names: Sequence[str], newer_than: int) -> Optional[variables.Answer]:
    """See `core.VariableSource`."""
    with self._lock:
      self._check_broken()
      if self._steps <= newer_than:
        return None
      answer = self._answers.get(tuple(names))
      if answer is None or answer[0] != self._steps:
        answer = variables.Answer(self._steps, [self._read(name) for name in names])
        self._answers[tuple(names)] = answer
      return answer

  def save(self, path: str) -> str:
    """Writes the update's state, the count and the place in recorded data into the folder `path`."""
    with self._reading, self._lock:
      self._check_broken()
      self._checkpoint().write(os.path.join(path, saved.VARIABLES))
      # What was read of recorded data and not learned from yet is read again. Of a queue it is lost, as are items in
      # flight: the actors of a resumed run make new ones.
      source = self._before if self._batches else self._source.state()
      state = {'steps': self._steps, 'source': source, 'variables': self._layout()}
      with open(os.path.join(path, saved.STATE), 'w', encoding='utf-8') as file:
        json.dump(state, file)
      return self._digest()

  def restore(self, path: str) -> Optional[str]:
    """Restores what `save` wrote; returns None within `compiling.eagerly`, where the first step restores the rest."""
    with self._lock:
      eager = compiling.runs_eagerly()
      if not eager:
        self._compiled.trace()  # Its first call makes the rest of its variables.
      saved.Saved(path).check(self._update, whole=not eager)
      status = self._checkpoint().read(os.path.join(self._kept(path) if eager else path, saved.VARIABLES))
      status.assert_existing_objects_matched()
      with open(os.path.join(path, saved.STATE), encoding='utf-8') as file:
        state = json.load(file)
      self._steps = state['steps']
      self.tally.counts['learner_steps'] = self._steps
      self.tally.report()
      self._source.set_state(state['source'])
      self._started = (self._parts.clock(), self._steps)
      return None if eager else self._digest()

  def _kept(self, path: str) -> str:
    """A copy of what was saved, which lasts: what the first step makes takes its values from there as it is made.

    An update that looks at values in Python can't be traced before.
    """
    self._copy = tempfile.TemporaryDirectory(prefix='tfacme-')
    return shutil.copytree(path, self._copy.name, dirs_exist_ok=True)

  def close(self) -> None:
    """See `core.Worker`."""
    self._source.close()
    self._parts.logger.close()

  def measured(self, watch: Any) -> None:
    """Has its parts timed, by a `debugging.profiling.Watch`."""
    call = watch.visible(self._compiled)

    def learn(inputs: Sequence[Any]) -> Sequence[Any]:
      outputs = call(inputs)
      outputs[0].numpy()  # On an accelerator the call returns before it is done.
      return outputs

    self._compiled.flat = watch.timed('learning', learn)
    self._source = watch.around(self._source, read='reading batches', write_priorities='writing priorities')

  def _so_far(self) -> int:
    """The steps of the run so far, in the unit of its budget, as far as they are known here."""
    return self._steps if self._budgeted else self.tally.total('actor_steps')

  def _call(self, packed: Sequence[Any], run_steps: tf.Tensor) -> Tuple[Any, ...]:
    """The compiled function: batches as bytes, and the steps of the run before them.

    Returns:
      (all is finite, metrics [M], priorities of each batch ...)
    """
    batches, outputs = [], []
    for i, one in enumerate(packed):
      with self._in_step(run_steps + (i if self._budgeted else 0)):  # A `Map` may draw too.
        batches.append(self._source.unpack(one))
        returned = self._update(batches[-1])
        outputs.append(outputs_lib.check(self._update, returned, batches[-1]))
    self._names = [*sorted(outputs[-1].metrics), 'sample_age']
    self._priorities = outputs[-1].priorities
    every = [_metrics(output, batch, self._names) for output, batch in zip(outputs, batches)]
    metrics = every[-1]
    priorities = [p for output in outputs for p in tf.nest.flatten(output.priorities) if p is not None]
    finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(x)) for x in [*every, *priorities]])
    return finite, metrics, *priorities

  def _learn(self, batch: Any, run_steps: tf.Tensor) -> core.UpdateOutput:
    with self._in_step(run_steps):
      return outputs_lib.check(self._update, self._update(batch), batch)

  @contextlib.contextmanager
  def _in_step(self, run_steps: tf.Tensor) -> Iterator[None]:
    """Around what one learning step computes, which may draw and look at schedules."""
    budget = self._parts.budget
    with self._parts.random.step(), schedules.in_run(run_steps, budget and budget.steps):
      yield

  def _check_broken(self) -> None:
    """A learner that has met a NaN neither learns, nor serves variables, nor overwrites what was saved before."""
    if self._broken is not None:
      raise self._broken

  def _after(self, batches: Sequence[Opened], metrics: Any, priorities: Sequence[Any]) -> None:
    if priorities:
      each = len(priorities) // len(batches)
      for i, batch in enumerate(batches):
        mine = [p.numpy() for p in priorities[i * each : (i + 1) * each]]
        self._source.write_priorities(batch.token, _nested(self._priorities, iter(mine)))
    count = len(batches)
    self.tally.add('learner_steps', count)
    every = self._parts.log_every
    if self._steps <= min(every, _FIRST_ROWS) or self._steps % every < count:
      self._log(metrics.numpy())
    if self._steps % _REPORT_EVERY < count:
      self.tally.report()

  def _log(self, metrics: np.ndarray) -> None:
    now = self._parts.clock()
    row = {'learner_steps': self._steps, 'actor_steps': self.tally.total('actor_steps')}
    row.update(zip(self._names, (float(value) for value in metrics)))
    if self._parts.replay is not None:
      for name, usage in self._parts.replay.usage().items():
        row[f'{name}_size'] = usage.size
        row[f'{name}_samples_per_insert'] = usage.samples_per_insert
        self.tally.notes.update(replay_size=usage.size, replay_max=usage.max_size)
    seconds = max(now - self._started[0], 1e-9)
    row['steps_per_second'] = (self._steps - self._started[1]) / seconds
    row['reading'] = self._reading_seconds / seconds
    row['timestamp'] = now
    self.tally.notes.update({name: row[name] for name in self._names if name == 'loss'})
    self._parts.logger.write(row)

  def _wait_for_data(self, blocked: core.Blocked) -> core.Outcome:
    """Blocked; or done, if the actors are and have sent all they had."""
    if blocked.passes:  # It hears of nobody: a run in one thread may not depend on how long it waited.
      return blocked
    finished = self.tally.phase > counting.ACTING
    self.tally.refresh()
    drained = finished and not self._budgeted and self._source.exhausted()
    return self._finish() if drained else blocked

  def _finish(self) -> core.Outcome:
    self._parts.logger.close()  # Before: once all have finished, the run ends.
    self.tally.report(finished=True)
    self._done = True
    self.close()
    return core.Progress.DONE

  def _read(self, name: str) -> Dict[str, tf.Tensor]:
    return dict(zip(self._published[name], self._values[name].read()))

  def _layout(self) -> Dict[str, Any]:
    return saved.layout(self._update, self._parts.networks, self._published)

  def _checkpoint(self) -> tf.train.Checkpoint:
    return tf.train.Checkpoint(update=self._update, random=self._parts.random)

  def _digest(self) -> str:
    variables_ = [*self._update.variables, *self._parts.random.variables]  # type: ignore[attr-defined]
    return checkpoints.digest([self._steps, [variable.numpy() for variable in variables_]])

  def _explanation(self, metrics: np.ndarray) -> errors.NonFiniteError:
    strange = [f'{name} is {value}' for name, value in zip(self._names, metrics) if not np.isfinite(value)]
    return errors.NonFiniteError(
      f'{self.name} at learner step {self._steps}: {", ".join(strange) or "a priority is not finite"}. Look at the '
      f'rows before it in logs/{self.name}.csv: a loss that grew points to the learning rate or to missing gradient '
      'clipping, one that did not to a reward or an observation far out of range.'
    )


class _FairLock:
  """A lock that its last holder can't take again while somebody else waits for it."""

  def __init__(self):
    self._next, self._held = threading.Lock(), threading.Lock()

  def __enter__(self):
    with self._next:
      self._held.acquire()

  def __exit__(self, *error: Any):
    self._held.release()


def _batches(batch: Any) -> List[core.Batch]:
  """All batches of a nest of them: one agent around another takes {name: batch} side by side with its own."""
  return [part for nest in batch.values() for part in _batches(nest)] if isinstance(batch, Mapping) else [batch]


def _nested(priorities: Any, values: Iterator[np.ndarray]) -> Any:
  """The values in the place of the priorities that an update gave: [B], {name: [B]}, a nest of those, None of none."""
  if isinstance(priorities, Mapping):
    return {name: _nested(priorities[name], values) for name in sorted(priorities)}  # the order of `tf.nest.flatten`
  return None if priorities is None else next(values)


def saved_steps(path: str) -> int:
  """The number of learning steps of a learner that was saved in the folder `path`."""
  with open(os.path.join(path, saved.STATE), encoding='utf-8') as file:
    return json.load(file)['steps']


def _metrics(output: core.UpdateOutput, batch: Any, names: Sequence[str]) -> tf.Tensor:
  """The metrics [M] of one learning step; of several sources, the mean age of all items that are not recorded."""
  ages = tf.cast(tf.concat([part.info.age for part in _batches(batch)], 0), tf.float32)
  ours = tf.cast(ages >= 0, tf.float32)
  age = tf.math.divide_no_nan(tf.reduce_sum(ours * ages), tf.reduce_sum(ours))
  return tf.stack([tf.cast({**output.metrics, 'sample_age': age}[name], tf.float32) for name in names])
