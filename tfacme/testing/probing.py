"""An environment under examination: all that it gives is held against its specs, in every step, and its calls timed."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from typing import Any, Callable, Dict, Iterator, List, Optional

import dm_env
import numpy as np
import tree

from tfacme import core, errors, mistakes, specs
from tfacme.workers import timesteps


class Broken(Exception):
  """An environment did what ends a run.

  Attributes:
    name: what is broken, as a finding calls it; the message says how.
  """

  def __init__(self, name: str, text: str):
    super().__init__(text)
    self.name = name


class Probe:
  """An environment as an actor would have it.

  All methods raise a `Broken` for what would end an actor's run, and for what a run does not look at in each step.

  Attributes:
    spec: of the environment.
    steps: how many it has made.
    seconds: of each call so far: {'step': [...], 'reset': [...], ...}.
    outside: the first number beyond the bounds of its spec within an episode, where a run does not look, as a sentence.
  """

  def __init__(
    self, make: Callable[..., dm_env.Environment], seed: int, called: Callable[[Probe], None] = lambda probe: None
  ):
    """Makes the environment.

    Args:
      make: takes a seed, and a role if it has such a parameter.
      seed: of the environment.
      called: is called after each call of the environment.
    """
    self.steps = 0
    self._called = called
    self.seconds: Dict[str, List[float]] = {'make': [], 'reset': [], 'step': [], 'close': []}
    self.outside: Optional[str] = None
    with self._calling('made', 'make'):
      self._environment = specs.make_environment(make, seed, 'actor')
    with self._calling('specs', 'specs'):
      self.spec = specs.environment_spec(self._environment)
    leaves = [np.zeros((1, *part.shape), part.dtype) for part in tree.flatten(self.spec.observations)]
    self._floats = [leaf for leaf in leaves if leaf.dtype.kind == 'f']
    self._intake = timesteps.Intake(self.spec, leaves, lambda slot: self._where)

  def __enter__(self) -> Probe:
    return self

  def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
    try:
      self.close()
    except Broken:
      if error is None:
        raise

  def reset(self) -> dm_env.TimeStep:
    """Begins an episode."""
    timestep = self._call('reset', self._environment.reset)
    if not timestep.first():
      raise Broken('resets', f'{self._where}: reset() returned a {timestep.step_type!r}, and has to return a FIRST.')
    with _as_broken('values'):
      self._intake.begin(0, timestep.observation)
      self._check_finite()
    return timestep

  def step(self, action: core.Nest) -> dm_env.TimeStep:
    """Takes a step within an episode."""
    self.steps += 1
    timestep = self._call('step', self._environment.step, action)
    if timestep.first():
      raise Broken('resets', f'{self._where}: step() began an episode, and the one before it had not ended by a LAST.')
    with _as_broken('values'):
      self._intake.check_reward(0, timestep)
      self._intake.observe(0, timestep.observation, timestep.last())
      self._check_finite()
    if self.outside is None:
      self._look_at_bounds(timestep)
    return timestep

  def begins_after_end(self, action: core.Nest) -> bool:
    """Whether a step where an episode has ended begins another one, as dm_env has it."""
    try:
      return self._call('step', self._environment.step, action).first()
    except Broken:
      return False

  def close(self) -> None:
    """Closes it."""
    with self._calling('close', 'close'):
      self._environment.close()

  @property
  def _where(self) -> str:
    return f'At step {self.steps:,}'

  def _call(self, what: str, function: Callable[..., Any], *arguments: Any) -> dm_env.TimeStep:
    with self._calling('calls', what):
      timestep = function(*arguments)
    if not isinstance(timestep, dm_env.TimeStep):
      raise Broken('calls', f'{self._where}: {what}() returned {timestep!r:.100}, and has to return a dm_env.TimeStep.')
    return timestep

  @contextlib.contextmanager
  def _calling(self, name: str, what: str) -> Iterator[None]:
    """Around a call: times it, and tells of what it raises."""
    begun = time.perf_counter()
    try:
      with _as_broken(name):
        yield
    except Broken:
      raise
    except (Exception, SystemExit) as error:
      raise Broken(name, f'{self._where}: {what}() raised {mistakes.describe(error)}.') from error
    finally:
      self.seconds.setdefault(what, []).append(time.perf_counter() - begun)
      self._called(self)

  def _check_finite(self) -> None:
    for leaf in self._floats:
      if not timesteps.finite(leaf):
        raise timesteps.not_finite(f'{self._where}: the observation has {leaf[~np.isfinite(leaf)].flat[0]}')

  def _look_at_bounds(self, timestep: dm_env.TimeStep) -> None:
    try:
      self._intake.check_bounds(0, timestep.observation)
    except errors.UserError as error:
      self.outside = str(error)
    spec, reward = self.spec.rewards, np.asarray(timestep.reward)
    low, high = getattr(spec, 'minimum', -np.inf), getattr(spec, 'maximum', np.inf)
    if self.outside is None and not np.all((low <= reward) & (reward <= high)):
      self.outside = (
        f'{self._where}: the reward is {timestep.reward}, and its spec says {low} to {high}; fix one or the other.'
      )


@dataclasses.dataclass(frozen=True)
class Subject:
  """What is examined.

  Attributes:
    make: makes the environment; see `Probe`.
    seed: of the environment.
    called: is called after each call of each one that is made.
  """

  make: Callable[..., dm_env.Environment]
  seed: int
  called: Callable[[Probe], None]

  def probe(self, other: int = 0) -> Probe:
    """A new one, of another seed if that is not 0."""
    return Probe(self.make, self.seed + other, self.called)


@contextlib.contextmanager
def _as_broken(name: str) -> Iterator[None]:
  """Turns what tfacme has to say of an environment into a `Broken`."""
  try:
    yield
  except (errors.UserError, errors.NonFiniteError) as error:
    raise Broken(name, str(error)) from error
