"""Where the time of a step goes, in a run in one thread."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import time
from typing import Any, Callable, DefaultDict, Dict, Iterator, List, Optional

import dm_env
import numpy as np

from tfacme import core, experiments, specs
from tfacme.environments.wrappers import base
from tfacme.tensors import compiling
from tfacme.workers import acting, environment_loop, learning


class Stopwatch:
  """Times the parts of a run: stepping environments, acting, writing rows, reading batches, learning.

  An actor's loop that neither steps its environments nor acts is writing; a learner that does not compute is reading.
  """

  def __init__(self, slots: int = 1):
    self._slots = slots
    self._seconds: DefaultDict[str, List[float]] = collections.defaultdict(list)

  def timed(self, experiment: experiments.Experiment) -> experiments.Experiment:
    """The experiment with environments of its actors, and actors, that are timed."""
    if experiment.offline:  # It has neither.
      return experiment
    builder, environment = _Builder(experiment.builder, watch=self), _Environment(experiment.environment, self)
    return dataclasses.replace(experiment, builder=builder, environment=environment, name=experiment.agent)

  @contextlib.contextmanager
  def running(self) -> Iterator[None]:
    """Around a run in this thread: times the steps of its loops and of its learner."""
    with contextlib.ExitStack() as replacing:
      for kind, method, name in (
        (environment_loop.EnvironmentLoop, 'step', 'loop'),
        (learning.Learner, 'step', 'learner'),
        (compiling.Compiled, 'flat', 'call'),
      ):
        original = getattr(kind, method)
        replacing.callback(setattr, kind, method, original)
        setattr(kind, method, self.around(name, original))
      yield

  def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, timed under a name; steps in which a worker did nothing do not count."""

    @functools.wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
      calls, begun = len(self._seconds['call']), time.perf_counter()
      outcome = function(*args, **kwargs)
      seconds = time.perf_counter() - begun
      if not isinstance(outcome, core.Blocked) and outcome is not core.Progress.DONE:
        self._seconds[name].append(seconds)
        if name == 'learner':
          computing = sum(self._seconds['call'][calls:])
          self._seconds['learning'].append(computing)
          self._seconds['reading'].append(seconds - computing)
      return outcome

    return timed

  def milliseconds(self) -> Dict[str, float]:
    """The medians: of an environment step its 'environment', 'acting' and 'writing'; of a learner step the others."""
    loop, acted, stepped = (self._median(name) for name in ('loop', 'acting', 'environment'))
    found: Dict[str, float] = {}
    if loop is not None and acted is not None and stepped is not None:
      each = acted / self._slots
      found.update(environment=stepped, acting=each, writing=max(0.0, loop / self._slots - stepped - each))
    for name in ('reading', 'learning'):
      value = self._median(name)
      if value is not None:
        found[name] = value
    return found

  def _median(self, name: str) -> Optional[float]:
    values = self._seconds[name]
    return float(np.median(values[1:] or values)) * 1e3 if values else None  # The first one may compile.


@dataclasses.dataclass(frozen=True)
class _Environment:
  """Makes environments, those of actors timed."""

  make: Callable[..., dm_env.Environment]
  watch: Stopwatch

  def __call__(self, seed: int, role: str = 'actor') -> dm_env.Environment:
    environment = specs.make_environment(self.make, seed, role)
    return _Timed(environment, self.watch) if role == 'actor' else environment


class _Timed(base.EnvironmentWrapper):
  """An environment whose steps are timed."""

  def __init__(self, environment: dm_env.Environment, watch: Stopwatch):
    super().__init__(environment)
    self.step = watch.around('environment', environment.step)


class _Actor:
  """An actor whose acting is timed."""

  def __init__(self, actor: core.Actor, watch: Stopwatch):
    self._actor = actor
    self.act = watch.around('acting', actor.act)
    self.update = actor.update

  @property
  def version(self) -> int:
    return self._actor.version


@dataclasses.dataclass(frozen=True)
class _Builder(core.BuilderWrapper):
  """An agent whose actor is timed."""

  watch: Stopwatch = dataclasses.field(default_factory=Stopwatch)

  def actor(self, parts: core.ActorParts) -> Optional[core.Actor]:
    actor = self.agent.actor(parts) or acting.PolicyActor(parts)
    return actor if parts.evaluation else _Actor(actor, self.watch)
