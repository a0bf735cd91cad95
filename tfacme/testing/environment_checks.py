"""Whether an environment is what a run takes it for. Imports no TensorFlow."""

from __future__ import annotations

import time
from typing import Any, Callable, List, Optional, Sequence, Tuple

import dm_env
import numpy as np
import tree

from tfacme import core, errors, experiments, mistakes, specs
from tfacme.testing import findings, probing, surroundings
from tfacme.workers import random_policy

_SECONDS = 10.0  # that an environment is played for at most, but for the fewest steps
_FEWEST_STEPS = 20
_SLOW_MILLISECONDS = 10.0
_CLOSE_SECONDS = 1.0  # that the end of a run waits for it
_EPISODES, _LONGEST = 20, 100  # that are compared, and the steps after which one of them is cut off
_COMPARED_STEPS, _COMPARED_SECONDS = 500, 2.0  # in all
_KEPT_STEPS = 50
_LARGE, _SMALL = 1e3, 1e-3  # of rewards

_Policy = Callable[[core.Nest], core.Nest]


def check_environment(
  make: Callable[..., dm_env.Environment], seed: int = 0, steps: int = 1_000
) -> List[findings.Finding]:
  """Plays an environment with random actions, and looks at all that a run relies on.

  It is made several times, with this seed and with others. What it prints meanwhile goes nowhere.

  Args:
    make: takes a seed, and a role if it has such a parameter (see `specs.make_environment`).
    seed: of the environment and the actions.
    steps: how long it is played, as far as that takes no more than about 10 s.

  Returns:
    What was found, a line for each thing that was looked at; those that are not 'fine' say what to do.

  Raises:
    UserError: if the seed or the steps are none.
  """
  errors.count('seed', seed, low=0)
  errors.count('The number of steps', steps)
  with surroundings.Surroundings() as around:
    found = _look(make, seed, steps)
  return [*found, *around.findings]


def _look(make: Callable[..., dm_env.Environment], seed: int, steps: int) -> List[findings.Finding]:
  try:
    probe = probing.Probe(make, seed)
  except probing.Broken as broken:
    return [findings.fault(broken.name, str(broken))]
  played = _Played(probe, seed, steps)
  found = played.findings()
  lasts = max(float(np.median(probe.seconds['step'] or [0.0])), 1e-9)
  affordable = int(np.clip(_COMPARED_SECONDS / lasts, _FEWEST_STEPS, min(steps, _COMPARED_STEPS)))
  for check in (_check_seeds, _check_resets, _check_arrays):
    try:
      found += check(make, seed, affordable)
    except probing.Broken as broken:
      # Said once: what ended the first play may end the others too.
      if not any(finding.mark == 'fault' for finding in found):
        found.append(findings.fault(broken.name, str(broken)))
  return found


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
        self._play(_actions(probe, seed))
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

  def _play(self, policy: _Policy) -> None:
    probe, until, length = self._probe, time.perf_counter() + _SECONDS, 0
    timestep = probe.reset()
    while probe.steps < self._asked and (probe.steps < _FEWEST_STEPS or time.perf_counter() < until):
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


def _check_seeds(make: Callable[..., dm_env.Environment], seed: int, steps: int) -> List[findings.Finding]:
  """Whether what it draws is a function of the seed, and of the seed alone."""
  first = _episodes(make, seed, steps)
  if _episodes(make, seed, steps) != first:
    return [
      findings.fault(
        'seeds',
        'The same seed and the same actions give other episodes: it draws from something that the seed does not set, '
        'so a run can not be repeated; let it draw from a generator of its own, made from its seed.',
      )
    ]
  if any(_episodes(make, seed + other, steps) != first for other in (1, 2)):
    return [findings.fine('seeds', 'The same seed gives the same episodes, another one gives others.')]
  if len(set(first)) == 1:
    return [findings.fine('seeds', 'It draws nothing: with the same actions all episodes are the same.')]
  return [
    findings.fault(
      'seeds',
      'Its episodes differ from each other, and with every seed they are the same: all actors, and the evaluation, '
      'play the same ones; let what it draws follow from its seed.',
    )
  ]


def _episodes(make: Callable[..., dm_env.Environment], seed: int, steps: int) -> List[Tuple[bytes, ...]]:
  """Its first episodes, each with the same random actions, as bytes; those that do not end are cut off."""
  found: List[Tuple[bytes, ...]] = []
  with probing.Probe(make, seed) as probe:
    while len(found) < _EPISODES and probe.steps < steps:
      policy = _actions(probe, 0)
      timestep = probe.reset()
      rows = [_bytes(timestep)]
      while not timestep.last() and len(rows) < _LONGEST:
        timestep = probe.step(policy(timestep.observation))
        rows.append(_bytes(timestep))
      found.append(tuple(rows))
  return found


def _check_resets(make: Callable[..., dm_env.Environment], seed: int, steps: int) -> List[findings.Finding]:
  """Whether episodes can be begun at any time; what a reset gives, the probe looks at."""
  with probing.Probe(make, seed) as probe:
    policy = _actions(probe, seed)
    probe.reset()
    probe.step(policy(probe.reset().observation))
    timestep = probe.reset()
    action = policy(timestep.observation)
    while not timestep.last() and probe.steps < steps:
      action = policy(timestep.observation)
      timestep = probe.step(action)
    if timestep.last() and not probe.begins_after_end(action):
      return [
        findings.warning(
          'resets',
          'step() after the end of an episode does not begin another one, as dm_env has it; a run calls reset(), but '
          'not everything else does.',
        )
      ]
  return [findings.fine('resets', 'An episode begins anew after its end, in its middle, and twice in a row.')]


def _check_arrays(make: Callable[..., dm_env.Environment], seed: int, steps: int) -> List[findings.Finding]:
  """Whether arrays that pass between it and an agent belong to who has them."""
  observations, actions = _kept(make, seed, min(steps, _KEPT_STEPS))
  lines = []
  if observations is not None:
    lines.append(
      findings.warning(
        'observations',
        f'The observation of step {observations} changes in a later step: it gives the same array again. An actor '
        'copies it at once, but what keeps it (an observer, a planner) sees another one; return a copy.',
      )
    )
  written = _written(make, seed, min(steps, _KEPT_STEPS))
  if written is not None:
    lines.append(
      findings.warning(
        'observations',
        f'Who writes into an observation changes what the environment does next (at step {written}): it gives a '
        'part of its state; return a copy.',
      )
    )
  if not lines:
    lines.append(findings.fine('observations', 'They stay as they are, and writing into them changes nothing.'))
  if actions is None:
    return [*lines, findings.fine('actions', 'It leaves them as they are.')]
  text = f'It writes into the action that it is given (at step {actions}); copy it before.'
  return [*lines, findings.warning('actions', text)]


def _kept(make: Callable[..., dm_env.Environment], seed: int, steps: int) -> Tuple[Optional[int], Optional[int]]:
  """The step whose observation is another one later, and the one whose action was written into; None of none."""
  kept: List[Tuple[Any, Any]] = []
  written = None
  with probing.Probe(make, seed) as probe:
    policy = _actions(probe, seed)
    timestep = probe.reset()
    while probe.steps < steps:
      kept.append((timestep.observation, _copied(timestep.observation)))
      if timestep.last():
        timestep = probe.reset()
        continue
      action = policy(timestep.observation)
      given = _copied(action)
      timestep = probe.step(given)
      if written is None and not _is_same(action, given):
        written = probe.steps
  changed = (i for i, (observation, before) in enumerate(kept) if not _is_same(observation, before))
  return next(changed, None), written


def _written(make: Callable[..., dm_env.Environment], seed: int, steps: int) -> Optional[int]:
  """The step at which an environment whose observations are written into differs from one where they are not."""
  with probing.Probe(make, seed) as one, probing.Probe(make, seed) as other:
    policy = _actions(one, seed)
    left: Any = one.reset()
    right: Any = other.reset()
    for writes in (False, True):  # First without, since it has to repeat for this to tell anything.
      until = one.steps + steps
      while one.steps < until:
        action = None if right.last() else policy(right.observation)
        if writes:
          _write(left.observation)
        left = _next(one, left, action)
        right = _next(other, right, action)
        if isinstance(right, probing.Broken):
          raise right
        if isinstance(left, probing.Broken) or _bytes(left) != _bytes(right):
          return one.steps if writes else None
  return None


def _next(probe: probing.Probe, timestep: dm_env.TimeStep, action: core.Nest) -> Any:
  """The time step after another one, or what was wrong with it."""
  try:
    return probe.reset() if timestep.last() else probe.step(_copied(action))
  except probing.Broken as broken:
    return broken


def _actions(probe: probing.Probe, seed: int) -> _Policy:
  """Actions at random, each as an actor would give it."""
  spec = probe.spec.actions
  policy = random_policy.RandomPolicy(spec, seed)

  def act(observation: core.Nest) -> core.Nest:
    try:
      return _copied(policy(observation))
    except (AttributeError, ValueError, OverflowError) as error:
      text = f'No action can be drawn at random: an agent chooses {specs.describe(spec)} ({mistakes.describe(error)}).'
      raise probing.Broken('specs', text) from error

  return act


def _write(observation: core.Nest) -> None:
  """Puts other numbers in the place of those of an observation, wherever its owner allows it."""
  for leaf in tree.flatten(observation):
    if isinstance(leaf, np.ndarray) and leaf.flags.writeable:
      leaf[...] = leaf + 1 if leaf.dtype.kind == 'f' else ~leaf


def _copied(nest: core.Nest) -> core.Nest:
  """A nest with arrays of its own; those of no dimension are scalars, as an actor gives them."""
  return tree.map_structure(lambda leaf: np.array(leaf)[()], nest)


def _is_same(one: core.Nest, other: core.Nest) -> bool:
  return _flat(one) == _flat(other)


def _bytes(timestep: dm_env.TimeStep) -> bytes:
  """All that a time step holds."""
  numbers = repr((int(timestep.step_type), timestep.reward, timestep.discount))
  return b'|'.join([numbers.encode(), *_flat(timestep.observation)])


def _flat(nest: core.Nest) -> List[bytes]:
  return [np.asarray(leaf).tobytes() for leaf in tree.flatten(nest)]


def _described(nest: Any) -> str:
  """The arrays of a spec in a phrase."""
  parts: Sequence[str] = [f'{path} {leaf.dtype} {list(leaf.shape)}'.strip() for path, leaf in specs.paths(nest).items()]
  return errors.listed(parts, most=4)
