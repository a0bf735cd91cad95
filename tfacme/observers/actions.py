"""Observers of actions."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np

from tfacme import errors


class ActionNorm:
  """The mean Euclidean norm of an episode's actions: column `action_norm`. For actions that are real vectors."""

  def __init__(self):
    self._sum = 0.0
    self._count = 0

  def observe_first(self, environment, timestep) -> None:
    """Resets the statistics."""
    del environment, timestep
    self._sum = 0.0
    self._count = 0

  def observe(self, environment, action: Any, timestep) -> None:
    """Adds the norm of one action."""
    del environment, timestep
    flat = np.asarray(action, np.float64).ravel()
    self._sum += float(np.sqrt(flat @ flat))
    self._count += 1

  def metrics(self) -> Dict[str, float]:
    """The mean so far; 0 before the first action."""
    return {'action_norm': self._sum / max(self._count, 1)}


class DiscreteActionShare:
  """How often each action was taken in an episode: columns `action_0_share`, `action_1_share`, and so on.

  A policy that has collapsed onto one action, or that never tries another, shows in these columns first.
  """

  def __init__(self, actions: int):
    """For an environment with this many actions."""
    errors.count('The number of actions of DiscreteActionShare', actions)
    self._counts = [0] * actions

  def observe_first(self, environment, timestep) -> None:
    """Resets the statistics."""
    del environment, timestep
    self._counts = [0] * len(self._counts)

  def observe(self, environment, action: Any, timestep) -> None:
    """Counts one action.

    Raises:
      IndexError: if there is no such action.
    """
    del environment, timestep
    self._counts[int(action)] += 1

  def metrics(self) -> Dict[str, float]:
    """The shares so far; all 0 before the first action."""
    total = max(sum(self._counts), 1)
    return {f'action_{index}_share': count / total for index, count in enumerate(self._counts)}
