"""Return and length of the last episode."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import dm_env

from tfacme.environments.wrappers import base


class Statistics(NamedTuple):
  """Statistics of a finished episode.

  Attributes:
    episode_return: The sum of its rewards, without discounts.
    episode_length: How many steps were taken in it.
  """

  episode_return: float
  episode_length: int


class EpisodeStatistics(base.EnvironmentWrapper):
  """Sums up each episode. For those who step an environment themselves; the environment loop counts on its own."""

  def __init__(self, environment: dm_env.Environment):
    """Wraps `environment`, whose rewards are scalars."""
    super().__init__(environment)
    self._return = 0.0
    self._length = 0
    self._finished: Optional[Statistics] = None

  def statistics(self) -> Optional[Statistics]:
    """Returns the statistics of the episode that finished last, or None if none has."""
    return self._finished

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode. One that was going on is not counted."""
    return self._count(self._environment.reset())

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step, or starts an episode if none is going on."""
    return self._count(self._environment.step(action))

  def _count(self, timestep: dm_env.TimeStep) -> dm_env.TimeStep:
    if timestep.first():
      self._return, self._length = 0.0, 0
      return timestep
    self._return += float(timestep.reward)
    self._length += 1
    if timestep.last():
      self._finished = Statistics(self._return, self._length)
    return timestep
