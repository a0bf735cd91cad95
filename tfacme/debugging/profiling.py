"""Where the time of a run goes: of each node, by what it is spent on, and a trace of some hundred steps.

A run that is profiled has other nodes' factories, which put a stopwatch around the parts of their workers. So one that
is not has nothing of this in any of its loops.
"""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import json
import os
import shutil
import threading
import time
from typing import Any, Callable, ClassVar, Dict, Iterator, List, NamedTuple, Optional, Union

import tensorflow as tf
from typing_extensions import Literal

from tfacme import core, errors
from tfacme.debugging import traces

Kind = Union[bool, Literal['times']]

FOLDER = 'profile'  # in a run's folder
WARM_UP, TRACED = 20, 300  # steps of a node before its trace begins, and in it
_OPTIONS = tf.profiler.experimental.ProfilerOptions(host_tracer_level=3)  # With small operations too.
_WHOLE = {'evaluator': 'evaluation', 'saver': 'checkpoints'}  # what the steps of a role are spent on as a whole


@dataclasses.dataclass(frozen=True)
class Profile:
  """How a run is profiled.

  Attributes:
    folder: where each node leaves its times, `NODE.json`, and TensorFlow its trace.
    apart: whether each node has a process of its own, and so a trace of its own, in a folder of its name; else the
      learner's steps say from when to when the whole process is traced.
    traced: whether there are traces at all, which make everything slower meanwhile.
  """

  folder: str
  apart: bool
  traced: bool = True

  def prepare(self) -> None:
    """Makes the folder, without what an earlier run has left there."""
    shutil.rmtree(self.folder, ignore_errors=True)
    os.makedirs(self.folder)

  def make(self, role: str, factory: Callable[..., Any], **links: Any) -> Any:
    """Makes the object of a node, as its factory does; if that is a worker, its time is measured."""
    made = factory(**links)
    if hasattr(made, 'step'):
      trace = None
      if self.traced and (self.apart or role == 'learner'):
        trace = _Trace(os.path.join(self.folder, made.name) if self.apart else self.folder)
      Watch(os.path.join(self.folder, f'{made.name}.json'), made, role, trace)
    return made


def of_run(workdir: str, kind: Kind, apart: bool) -> Optional[Profile]:
  """How a run is profiled in its folder; None if it is not.

  Args:
    workdir: its folder.
    kind: True is with a trace, 'times' without.
    apart: see `Profile`.

  Raises:
    UserError: it is no such kind.
  """
  if kind not in (False, True, 'times'):
    raise errors.UserError(f"profile is {kind!r}: give True, False or 'times'.")
  return Profile(os.path.join(workdir, FOLDER), apart, traced=kind is True) if kind else None


class Watch:
  """Measures one worker: how long its steps take, and which parts of it how much of that.

  A worker that has a method `measured(watch)` says there which parts it has; all others are measured as a whole.
  """

  def __init__(self, path: str, worker: core.Worker, role: str, trace: Optional[_Trace] = None):
    """Puts itself around a worker.

    Args:
      path: of a file for the times, written when the worker is done or is closed.
      worker: whose `step` and `close` it takes the place of.
      role: of its node.
      trace: that is made while it works.
    """
    self._path, self._name, self._trace = path, worker.name, trace
    self._parts: Dict[str, List[float]] = {}  # seconds, how often, and the seconds of the first time
    self._whole: Optional[str] = None
    self._begun = self._ended = self._waiting = self._tracing = 0.0
    self._lane = ''
    self._step, self._close = worker.step, worker.close
    if hasattr(worker, 'measured'):
      worker.measured(self)  # type: ignore[attr-defined]
    else:
      self._whole = _WHOLE.get(role, role)
      self._parts[self._whole] = [0.0, 0, 0.0]
    worker.step, worker.close = self.step, self.close  # type: ignore[method-assign]

  def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function, whose time is that of a part."""
    spent = self._parts.setdefault(part, [0.0, 0, 0.0])

    def call(*arguments: Any, **keywords: Any) -> Any:
      begun = time.perf_counter()
      try:
        with self._annotated(part):
          return function(*arguments, **keywords)
      finally:
        _spend(spent, time.perf_counter() - begun)

    return call

  def visible(self, compiled: Any) -> Callable[..., Any]:
    """What calls a `compiling.Compiled`, so that a trace has its operations while one is made."""
    flat = compiled.flat
    return lambda inputs: (compiled.visibly if _Trace.made_here else flat)(inputs)

  def around(self, thing: Any, **parts: str) -> Any:
    """What stands for a thing, with those of its methods timed for which a part is given."""
    return _Stand(thing, {name: self.timed(part, getattr(thing, name)) for name, part in parts.items()})

  def step(self, wait: float) -> core.Outcome:
    """The worker's step."""
    begun, before = time.perf_counter(), [list(spent) for spent in self._parts.values()]
    if not self._begun:
      self._begun, self._lane = begun, f'{os.getpid()}:{threading.get_ident()}'
    with self._annotated(self._name):
      outcome = self._step(wait)
    self._ended = time.perf_counter()
    if isinstance(outcome, core.Blocked):
      self._waiting += self._ended - begun
      for spent, earlier in zip(self._parts.values(), before):  # It has waited in one of them.
        spent[:] = earlier
      return outcome
    if self._whole is not None:
      _spend(self._parts[self._whole], self._ended - begun)
    self._advance(outcome is core.Progress.DONE)
    if outcome is core.Progress.DONE:
      self._leave()
    return outcome

  def close(self) -> None:
    """The worker's close."""
    self._leave()
    self._close()

  def _annotated(self, name: str) -> contextlib.AbstractContextManager[Any]:
    """A name for what is within it, in a trace."""
    traced = _Trace.made_here
    return tf.profiler.experimental.Trace(name) if traced else contextlib.nullcontext()

  def _advance(self, done: bool) -> None:
    """Begins or ends the trace if it is time to, which is no time of the run's."""
    if self._trace is not None:
      begun = time.perf_counter()
      self._trace.advance(done)
      self._ended = time.perf_counter()
      self._tracing += self._ended - begun

  def _leave(self) -> None:
    """Writes the times down; first without the end of the trace, for which there may be no time."""
    self._write()
    if self._trace is not None and self._trace.runs:
      self._advance(done=True)
      self._write()

  def _write(self) -> None:
    times = {
      'name': self._name,
      'lane': self._lane,
      'seconds': [self._begun, self._ended],
      'waiting': self._waiting,
      'tracing': self._tracing,
      'parts': self._parts,
    }
    with open(self._path + '.partial', 'w', encoding='utf-8') as file:
      json.dump(times, file)
    os.replace(self._path + '.partial', self._path)


def _spend(spent: List[float], seconds: float) -> None:
  """Adds a call to a part's seconds, calls and seconds of the first one."""
  if not spent[1]:
    spent[2] = seconds
  spent[0] += seconds
  spent[1] += 1


class _Stand:
  """Stands for a thing, with other functions in the place of some of its methods."""

  def __init__(self, thing: Any, methods: Dict[str, Callable[..., Any]]):
    self._thing = thing
    vars(self).update(methods)

  def __getattr__(self, name: str) -> Any:
    return getattr(self._thing, name)


class _Trace:
  """TensorFlow's own trace of this process, from some step of a worker to some other one.

  Attributes:
    runs: whether it is being made.
    made_here: whether one is, in this process.
  """

  made_here: ClassVar[bool] = False

  def __init__(self, folder: str):
    self.runs = False
    self._folder = folder
    self._steps = 0

  def advance(self, done: bool) -> None:
    """The worker has taken another step, or it is done."""
    self._steps += 1
    if self.runs and (done or self._steps > WARM_UP + TRACED):
      self.runs = _Trace.made_here = False
      tf.profiler.experimental.stop()
    elif not done and self._steps == WARM_UP:
      with contextlib.suppress(tf.errors.AlreadyExistsError):  # Somebody traces this process already.
        tf.profiler.experimental.start(self._folder, _OPTIONS)
        self.runs = _Trace.made_here = True


class Part(NamedTuple):
  """What the time of a thread was spent on."""

  seconds: float
  calls: int = 0  # 0 if they are not counted
  first: float = 0.0  # of `seconds`, those of the first call of each node, in which much is compiled

  def per(self, steps: int) -> float:
    """Seconds of each of so many steps, without the first call if there are more."""
    if self.calls < 2:
      return self.seconds / steps
    return (self.seconds - self.first) * self.calls / ((self.calls - 1) * steps)


@dataclasses.dataclass(frozen=True)
class Lane:
  """What ran in one thread.

  Attributes:
    names: of its nodes.
    seconds: from the first step of one of them to the end of the last, without those that the trace took.
    parts: by their names; what is left of the time is the part 'rest'.
    steps: of environments, or else of the learner; None of what takes neither.
    unit: what these are.
  """

  names: List[str]
  seconds: float
  parts: Dict[str, Part]
  steps: Optional[int]
  unit: str


def lanes(folder: str) -> List[Lane]:
  """What the nodes of a run have left in a folder, by the threads that they had."""
  nodes: Dict[str, List[Dict[str, Any]]] = {}
  for path in sorted(glob.glob(os.path.join(glob.escape(folder), '*.json'))):
    with open(path, encoding='utf-8') as file:
      node = json.load(file)
    if node['lane']:
      nodes.setdefault(node['lane'], []).append(node)
  return [_lane(together) for together in nodes.values()]


def _lane(nodes: List[Dict[str, Any]]) -> Lane:
  begun, ended = zip(*(node['seconds'] for node in nodes))
  seconds = max(ended) - min(begun) - sum(node['tracing'] for node in nodes)
  parts: Dict[str, Part] = {}
  for node in nodes:
    for part, spent in node['parts'].items():
      parts[part] = Part(*map(sum, zip(parts.get(part, Part(0.0)), spent)))
  if len(nodes) == 1:  # Else others run while one waits.
    parts['waiting'] = Part(nodes[0]['waiting'])
  parts['rest'] = Part(seconds - sum(part.seconds for part in parts.values()))
  for part, unit in (('environments', 'environment step'), ('learning', 'learning step')):
    if part in parts:
      return Lane([node['name'] for node in nodes], seconds, parts, parts[part].calls, unit)
  return Lane([node['name'] for node in nodes], seconds, parts, None, '')


def table(folder: str) -> Any:
  """The times of a run as a table for people (`rich`)."""
  import rich.table

  found = lanes(folder)
  shown = rich.table.Table(title='Where the time went')
  for column in ('', 'seconds', 'share', 'calls', 'ms a call', 'ms a step'):
    shown.add_column(column, justify='right' if column else 'left')
  for lane in found:
    name = 'all nodes' if len(found) == 1 else ', '.join(lane.names)
    counted = f'{lane.steps:,} {lane.unit}s' if lane.steps else ''
    shown.add_row(
      f'[bold]{name}[/bold]', f'{lane.seconds:.2f}', '', counted, '', _milliseconds(lane.seconds, lane.steps)
    )
    for part, (seconds, calls, _) in lane.parts.items():
      share = f'{100 * seconds / max(lane.seconds, 1e-9):.1f}%'
      called = (f'{calls:,}', _milliseconds(seconds, calls)) if calls else ('', '')
      shown.add_row(f'  {part}', f'{seconds:.2f}', share, *called, _milliseconds(seconds, lane.steps))
    shown.add_section()
  return shown


def _milliseconds(seconds: float, count: Optional[int]) -> str:
  return f'{1e3 * seconds / count:.4f}' if count else ''


@contextlib.contextmanager
def reported(profile: Optional[Profile], out: Callable[[Any], None]) -> Iterator[None]:
  """Around a run: shows its times at its end, also if it is stopped before.

  Args:
    profile: None if it is not profiled.
    out: prints a table of `rich`, or a line.
  """
  if profile is None:
    yield
    return
  profile.prepare()
  try:
    yield
  finally:
    if lanes(profile.folder):
      out(table(profile.folder))
    found = traces.find(profile.folder)
    for path in found:
      traces.write_for_browsers(path)
    if profile.traced and not found:
      out(f'There is no trace: no node has taken {WARM_UP} steps that something was done in.')
