"""Whether an environment repeats, begins anew and keeps to itself: what several plays of it show, side by side."""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Tuple

import dm_env
import numpy as np
import tree

from tfacme import core, mistakes, specs
from tfacme.testing import findings, probing
from tfacme.workers import random_policy

PLAYS, MADE = 10, 8  # of all checks together: plays of so many steps, in so many environments
_EPISODES, _LONGEST = 20, 100  # that are compared, and the steps after which one of them is cut off
_KEPT_STEPS = 50

Policy = Callable[[core.Nest], core.Nest]


def seeds(subject: probing.Subject, steps: int) -> List[findings.Finding]:
  """Whether what it draws is a function of the seed, and of the seed alone."""
  first = _episodes(subject.probe(), steps)
  if _episodes(subject.probe(), steps) != first:
    return [
      findings.fault(
        'seeds',
        'The same seed and the same actions give other episodes: it draws from something that the seed does not set, '
        'so a run can not be repeated; let it draw from a generator of its own, made from its seed.',
      )
    ]
  if any(_episodes(subject.probe(other), steps) != first for other in (1, 2)):
    return [findings.fine('seeds', 'The same seed gives the same episodes, another one gives others.')]
  if len(first) == 1:
    text = f'The same {len(first[0]) - 1:,} steps with every seed; more were not compared.'
    return [findings.fine('seeds', text)]
  if len(set(first)) == 1:
    return [findings.fine('seeds', 'It draws nothing: with the same actions all episodes are the same.')]
  return [
    findings.fault(
      'seeds',
      'Its episodes differ from each other, and with every seed they are the same: all actors, and the evaluation, '
      'play the same ones; let what it draws follow from its seed.',
    )
  ]


def _episodes(probe: probing.Probe, steps: int) -> List[Tuple[bytes, ...]]:
  """Its first episodes, each with the same random actions, as bytes; those that do not end are cut off.

  The one that the last step is in is left out, unless it is the only one: it is shorter than others for that alone.
  """
  found: List[Tuple[bytes, ...]] = []
  with probe:
    while len(found) < _EPISODES and probe.steps < steps:
      policy = random_actions(probe, 0)
      timestep = probe.reset()
      rows = [_bytes(timestep)]
      while not timestep.last() and len(rows) < _LONGEST and probe.steps < steps:
        timestep = probe.step(policy(timestep.observation))
        rows.append(_bytes(timestep))
      if timestep.last() or len(rows) == _LONGEST or not found:
        found.append(tuple(rows))
  return found


def resets(subject: probing.Subject, steps: int) -> List[findings.Finding]:
  """Whether episodes can be begun at any time; what a reset gives, the probe looks at."""
  with subject.probe() as probe:
    policy = random_actions(probe, subject.seed)
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


def arrays(subject: probing.Subject, steps: int) -> List[findings.Finding]:
  """Whether arrays that pass between it and an agent belong to who has them."""
  observations, actions = _kept(subject, min(steps, _KEPT_STEPS))
  lines = []
  if observations is not None:
    lines.append(
      findings.warning(
        'observations',
        f'The observation of step {observations} changes in a later step: it gives the same array again. An actor '
        'copies it at once, but what keeps it (an observer, a planner) sees another one; return a copy.',
      )
    )
  written = _written(subject, min(steps, _KEPT_STEPS))
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


def _kept(subject: probing.Subject, steps: int) -> Tuple[Optional[int], Optional[int]]:
  """The step whose observation is another one later, and the one whose action was written into; None of none."""
  kept: List[Tuple[Any, Any]] = []
  written = None
  with subject.probe() as probe:
    policy = random_actions(probe, subject.seed)
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


def _written(subject: probing.Subject, steps: int) -> Optional[int]:
  """The step at which an environment whose observations are written into differs from one where they are not."""
  with subject.probe() as one, subject.probe() as other:
    policy = random_actions(one, subject.seed)
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


def random_actions(probe: probing.Probe, seed: int) -> Policy:
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
