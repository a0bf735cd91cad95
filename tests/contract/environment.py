"""The toys' environment: what `testing.TwoStates` is varied to, and demonstrations of how to do well in it."""

from __future__ import annotations

from typing import List

import dm_env
import numpy as np
from dm_env import specs

from tfacme import core, datasets
from tfacme.testing import TwoStates

LENGTH, BEST = TwoStates.length, TwoStates.best


def hiding(seed: int) -> TwoStates:
  """Whose cue has to be remembered."""
  return TwoStates(seed, hides_cue=True)


def truncating(seed: int) -> TwoStates:
  """In which no state is worth less because an episode is over."""
  return TwoStates(seed, truncates=True)


class Pushed(TwoStates):
  """A push to the left is action 0 and one to the right is action 1, the surer the harder it is.

  So what is to be expected of a push changes with it everywhere. Were it the direction alone that counted, it would be
  flat on both sides, and a critic's gradient could leave a policy on the wrong one.
  """

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    """Goes to a state by a push between -1 and 1."""
    return super().step(int(self._random.uniform(-1, 1) < action[0]))

  def action_spec(self) -> specs.BoundedArray:
    """The push."""
    return specs.BoundedArray((1,), np.float32, -1.0, 1.0, 'push')


def record(
  episodes: int, mistakes: float = 0.0, truncates: bool = False, seed: int = 0, hides_cue: bool = False
) -> List[core.Step]:
  """Episodes of an expert that takes the wrong action in a share `mistakes` of all steps; leaves [T + 1, ...]."""
  environment, random, recorded = TwoStates(seed, hides_cue, truncates), np.random.default_rng(seed), []
  for _ in range(episodes):
    timestep, rows = environment.reset(), []
    right = timestep.observation[1] > 0
    while not timestep.last():
      observation, action = timestep.observation, np.int32(right != (random.random() < mistakes))
      timestep = environment.step(int(action))
      rows.append(core.Step(observation, action, timestep.reward, timestep.discount, first=not rows, last=False))
    rows.append(core.Step(timestep.observation, np.int32(0), 0.0, 0.0, first=False, last=True))
    recorded.append(datasets.episode(rows))
  return recorded
