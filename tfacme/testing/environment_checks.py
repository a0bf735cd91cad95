"""Whether an environment is what a run takes it for. Imports no TensorFlow."""

from __future__ import annotations

import time
from typing import Any, Callable, List, Mapping, Optional, Sequence

import dm_env
import numpy as np

from tfacme import errors, experiments, specs
from tfacme.testing import comparing, findings, probing, surroundings

_PLAYED_SECONDS, _COMPARED_SECONDS = 10.0, 10.0  # at most, but for the fewest steps; all comparisons together
_FEWEST_PLAYED, _FEWEST_COMPARED, _MOST_COMPARED = 10, 5, 500  # steps; of each play that is compared
_QUIET_SECONDS = 5.0  # before it is said how far a check is; then twice as long, and so on
_SLOW_MILLISECONDS = 10.0
_CLOSE_SECONDS = 1.0  # that the end of a run waits for it
_LARGE, _SMALL = 1e3, 1e-3  # of rewards


def check_environment(
  make: Callable[..., dm_env.Environment],
  seed: int = 0,
  steps: int = 1_000,
  tell: Callable[[str], None] = lambda line: None,
) -> List[findings.Finding]:
  """Plays an environment with random actions, and looks at all that a run relies on.

  It is made several times, with this seed and with others. What it prints meanwhile goes nowhere. One play, and all
  others that are compared with each other, take no more than about 10 s each, but for some few steps: one that takes a
  second for a step is looked at for about a minute.

  Args:
    make: takes a seed, and a role if it has such a parameter (see `specs.make_environment`).
    seed: of the environment and the actions.
    steps: how long it is played, as far as there is time for that.
    tell: is given a line on how far the check is, if it takes long.

  Returns:
    What was found, a line for each thing that was looked at; those that are not 'fine' say what to do.

  Raises:
    UserError: if the seed or the steps are none.
  """
  errors.count('seed', seed, low=0)
  errors.count('The number of steps', steps)
  with surroundings.Surroundings() as around:
    found = _look(probing.Subject(make, seed, _Patience(tell)), steps)
  return [*found, *around.findings]


def _look(subject: probing.Subject, steps: int) -> List[findings.Finding]:
  try:
    probe = subject.probe()
  except probing.Broken as broken:
    return [findings.fault(broken.name, str(broken))]
  found = _Played(probe, subject.seed, steps).findings()
  affordable = min(steps, _affordable(probe.seconds))
  for check in (comparing.seeds, comparing.resets, comparing.arrays):
    try:
      found += check(subject, affordable)
    except probing.Broken as broken:
      # Said once: what ended the first play may end the others too.
      if not any(finding.mark == 'fault' for finding in found):
        found.append(findings.fault(broken.name, str(broken)))
  return found


def _affordable(seconds: Mapping[str, Sequence[float]]) -> int:
  """How many steps each play that is compared may have, by the seconds of a first one's calls."""
  made = comparing.MADE * (sum(seconds['make']) + sum(seconds['close']))
  each = (sum(seconds['step']) + sum(seconds['reset'])) / max(1, len(seconds['step']))
  steps = (_COMPARED_SECONDS - made) / (comparing.PLAYS * max(each, 1e-9))
  return int(np.clip(steps, _FEWEST_COMPARED, _MOST_COMPARED))


class _Patience:
  """Tells whoever waits how far a check is, at longer and longer intervals."""

  def __init__(self, tell: Callable[[str], None]):
    self._tell = tell
    self._begun, self._next = time.perf_counter(), _QUIET_SECONDS

  def __call__(self, probe: probing.Probe) -> None:
    seconds = time.perf_counter() - self._begun
    if seconds >= self._next:
      self._next = 2 * seconds
      self._tell(
        f'Looking at the environment for {seconds:.0f} s by now; it is slow: step {probe.steps:,} of one play.'
      )


class _Played:
  """What an environment gave while it was played."""

  def __init__(self, probe: probing.Probe, seed: int, steps: int):
    self._probe = probe
    self._asked = steps
    self._rewards: List[float] = []
    self._lengths: List[int] = []
    self._terminated = 0
    self._broken: Optional[probing.Broken] = None
    try:
      with probe:
        self._play(comparing.random_actions(probe, seed))
    except probing.Broken as broken:
      self._broken = broken

  def findings(self) -> List[findings.Finding]:
    """A line for each thing."""
    spec = self._probe.spec
    given, taken = _described(spec.observations), specs.describe(spec.actions)
    return [
      self._is_broken('specs') or findings.fine('specs', f'Observations are {given}; an agent chooses {taken}.'),
      self._calls(),
      self._values(),
      self._bounds(),
      *filter(None, [self._is_broken('resets')]),
      self._episodes(),
      *self._sizes(),
      self._close(),
      self._time(),
    ]

  def _play(self, policy: comparing.Policy) -> None:
    probe, until, length = self._probe, time.perf_counter() + _PLAYED_SECONDS, 0
    timestep = probe.reset()
    while probe.steps < self._asked and (probe.steps < _FEWEST_PLAYED or time.perf_counter() < until):
      timestep = probe.step(policy(timestep.observation))
      self._rewards.append(float(np.sum(timestep.reward)))
      length += 1
      if timestep.last():
        self._lengths.append(length)
        self._terminated += not np.any(timestep.discount)
        timestep, length = probe.reset(), 0

  @property
  def _steps(self) -> str:
    return f'{self._probe.steps:,} steps'

  def _is_broken(self, name: str) -> Optional[findings.Finding]:
    broken = self._broken
    return findings.fault(name, str(broken)) if broken is not None and broken.name == name else None

  def _calls(self) -> findings.Finding:
    few = '' if self._probe.steps >= self._asked or self._broken else f', of {self._asked:,}: more take too long here'
    resets = len(self._probe.seconds['reset'])
    text = f'It was played for {self._steps}{few}; {resets:,} resets.'
    return self._is_broken('calls') or findings.fine('calls', text)

  def _values(self) -> findings.Finding:
    return self._is_broken('values') or findings.fine(
      'values', 'All that it gave has the shapes and types of its specs, and is finite.'
    )

  def _bounds(self) -> findings.Finding:
    if self._probe.outside is None:
      return findings.fine('bounds', 'All numbers are within the bounds of the specs.')
    return findings.warning('bounds', f'{self._probe.outside} (A run looks at bounds where an episode begins alone.)')

  def _episodes(self) -> findings.Finding:
    lengths = self._lengths
    if lengths:
      return findings.fine(
        'episodes',
        f'{len(lengths):,} of {min(lengths):,} to {max(lengths):,} steps, {np.mean(lengths):.4g} on average: '
        f'{self._terminated:,} terminated (discount 0), {len(lengths) - self._terminated:,} were cut off.',
      )
    if self._broken is not None:
      return findings.fine('episodes', f'None had ended by step {self._probe.steps:,}.')
    return findings.warning(
      'episodes',
      f'No episode ended within {self._steps}: if none ever does, nothing is logged of them and each evaluation takes '
      f'{experiments.MAX_EPISODE_STEPS:,} steps an episode; cut them off (--env.step-limit, step_limit=).',
    )

  def _sizes(self) -> List[findings.Finding]:
    rewards = np.array(self._rewards)
    if not rewards.size:
      return []
    largest, zeros = float(np.abs(rewards).max()), float((rewards == 0).mean())
    if largest == 0:
      text = f'All rewards of {self._steps} are 0: nothing can be learned before random actions find another one.'
      return [findings.warning('rewards', text)]
    text = f'From {rewards.min():.4g} to {rewards.max():.4g}, {zeros:.0%} of them 0'
    if _SMALL <= largest <= _LARGE:
      return [findings.fine('rewards', f'{text}.')]
    return [findings.warning('rewards', f'{text}: agents are tuned for sizes of about 1; scale them.')]

  def _close(self) -> findings.Finding:
    seconds = sum(self._probe.seconds['close'])
    if seconds > _CLOSE_SECONDS:
      text = f'close() takes {seconds:.1f} s, and the end of a run waits for {_CLOSE_SECONDS:g} s.'
      return findings.warning('close', text)
    return self._is_broken('close') or findings.fine('close', 'It closes.')

  def _time(self) -> findings.Finding:
    seconds = (self._probe.seconds[name] or [0.0] for name in ('step', 'reset', 'make'))
    step, reset, made = (float(np.median(each)) * 1e3 for each in seconds)
    text = f'A step takes {step:.3g} ms (the median), a reset {reset:.3g}, making it {made:.3g}'
    if step < _SLOW_MILLISECONDS:
      return findings.fine('time', f'{text}.', step=step, reset=reset, make=made)
    hours = step * 1e6 / 3.6e6
    text = f'{text}: a million steps take {hours:.3g} hours; more actors (--actors, --launch local_mp) share them.'
    return findings.warning('time', text, step=step, reset=reset, make=made)


def _described(nest: Any) -> str:
  """The arrays of a spec in a phrase."""
  parts: Sequence[str] = [f'{path} {leaf.dtype} {list(leaf.shape)}'.strip() for path, leaf in specs.paths(nest).items()]
  return errors.listed(parts, most=4)
