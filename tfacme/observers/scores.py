"""The observer of scores: returns on one scale for all tasks."""

from __future__ import annotations

import difflib
import functools
import math
import re
from typing import Any, Callable, Dict

import numpy as np

from tfacme import errors

# The returns of random actions and of an expert, by tasks: those of `infos.py` in the repository of D4RL (Fu et al.
# 2020, "D4RL: datasets for deep data-driven reinforcement learning").
_D4RL = {
  'halfcheetah': (-280.178953, 12135.0),
  'hopper': (-20.272305, 3234.3),
  'walker2d': (1.629008, 4592.3),
  'ant': (-325.6, 3879.7),
  'antmaze': (0.0, 1.0),
  'maze2d-open': (0.01, 20.66),
  'maze2d-umaze': (23.85, 161.86),
  'maze2d-medium': (13.13, 277.39),
  'maze2d-large': (6.7, 273.99),
  'maze2d-open-dense': (11.17817, 27.166538620695782),
  'maze2d-umaze-dense': (68.537689, 193.66285642381482),
  'maze2d-medium-dense': (44.264742, 297.4552547777125),
  'maze2d-large-dense': (30.569041, 303.4857382709002),
  'pen': (96.262799, 3076.8331017826877),
  'hammer': (-274.856578, 12794.134825156867),
  'door': (-56.512833, 2880.5693087298737),
  'relocate': (-6.425911, 4233.877797728884),
  'kitchen': (0.0, 4.0),
}
_LOCOMOTION = ('random', 'medium', 'expert', 'medium-replay', 'medium-expert', 'full-replay')
_ADROIT = ('human', 'human-longhorizon', 'cloned', 'expert')
# What the data sets of a task are called, after its name; those of mazes in two dimensions have that alone.
_KINDS = {
  **dict.fromkeys(('halfcheetah', 'hopper', 'walker2d', 'ant'), _LOCOMOTION),
  'antmaze': ('umaze', 'umaze-diverse', 'medium-play', 'medium-diverse', 'large-play', 'large-diverse'),
  **dict.fromkeys(('pen', 'hammer', 'door', 'relocate'), _ADROIT),
  'kitchen': ('complete', 'partial', 'mixed'),
}


class NormalizedScore:
  """An episode's return where random actions have 0 and an expert has 100: column `normalized_score`.

  functools.partial(observers.NormalizedScore, random=-1230.0, expert=-150.0)
  """

  def __init__(self, random: float, expert: float):
    """Initializes the observer.

    Args:
      random: the mean return of random actions.
      expert: that of an expert.
    """
    errors.in_range('The return of random actions', random)
    errors.in_range('The return of an expert', expert)
    if random == expert:
      raise errors.UserError(f'Random actions and an expert have the same return, {expert}, so there is no scale.')
    self._random, self._expert = random, expert
    self._return = math.nan

  def observe_first(self, environment: Any, timestep: Any) -> None:
    """Begins with nothing."""
    del environment, timestep
    self._return = 0.0

  def observe(self, environment: Any, action: Any, timestep: Any) -> None:
    """Adds the reward, all parts of it."""
    del environment, action
    self._return += float(np.sum(timestep.reward))

  def metrics(self) -> Dict[str, float]:
    """The score so far; NaN before the first episode."""
    return {'normalized_score': 100.0 * (self._return - self._random) / (self._expert - self._random)}


def d4rl_score(name: str) -> Callable[[], NormalizedScore]:
  """What makes a `NormalizedScore` by the returns that D4RL has published.

  Args:
    name: of a task or of a data set, such as hopper, hopper-medium-v2 or maze2d-umaze-dense-v1.

  Raises:
    errors.UserError: if D4RL has no such task, or no such data set.
  """
  every = {f'{task}-{kind}'.rstrip('-'): of for task, of in _D4RL.items() for kind in ('', *_KINDS.get(task, ()))}
  called = re.sub(r'-v\d$', '', name.lower())
  known = every.get(called)
  if known is None:
    hint = (
      'give two numbers, the mean returns of random actions and of an expert (--score RANDOM EXPERT, or '
      f'observers.NormalizedScore), or one of {", ".join(_D4RL)}.'
    )
    near = difflib.get_close_matches(called, every)
    raise errors.no_such('task of D4RL with published returns', name, near, hint)
  return functools.partial(NormalizedScore, random=known[0], expert=known[1])
