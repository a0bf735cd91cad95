"""The toys' environment: two states, of which one pays, and demonstrations of how to stay in it."""

from __future__ import annotations

from typing import List

import dm_env
import numpy as np
from dm_env import specs

from tfacme import core, datasets

LENGTH = 5  # steps of an episode
BEST = LENGTH - 1.0  # the return of an agent that does everything right
CHANCE = BEST / 2


class TwoStates(dm_env.Environment):
  """Each step that begins in state 1 pays 1, and one that begins in state 0 nothing.

  A cue, 0 or 1, is drawn for each episode. The action of that number leads to state 1, the other one to state 0, where
  an episode begins too. So every action is paid for one step later: it takes a return or a value to see what it is
  worth. An observation is float32 [3]: the cue as a one-hot vector, and the state.
  """

  def __init__(self, seed: int, hides_cue: bool = False, truncates: bool = False):
    """Makes the environment.

    Args:
      seed: of the cues.
      hides_cue: whether only the first observation of an episode shows the cue, and the others zeros instead.
      truncates: whether episodes are cut short after their last step, and not terminated.
    """
    self._random = np.random.default_rng(seed)
    self._hides_cue = hides_cue
    self._final_discount = 1.0 if truncates else 0.0
    self._cue, self._state, self._steps = 0, 0, LENGTH

  def reset(self) -> dm_env.TimeStep:
    """Begins an episode."""
    self._cue, self._state, self._steps = int(self._random.integers(2)), 0, 0
    return dm_env.restart(self._observe())

  def step(self, action: int) -> dm_env.TimeStep:
    """Goes to a state, and pays for the one that it leaves; begins an episode if the last one is over."""
    if self._steps == LENGTH:
      return self.reset()
    reward, self._state = float(self._state), int(action == self._cue)
    self._steps += 1
    if self._steps == LENGTH:
      return dm_env.TimeStep(dm_env.StepType.LAST, reward, self._final_discount, self._observe())
    return dm_env.transition(reward, self._observe())

  def observation_spec(self) -> specs.Array:
    """The cue and the state."""
    return specs.Array((3,), np.float32, 'observation')

  def action_spec(self) -> specs.DiscreteArray:
    """Two actions."""
    return specs.DiscreteArray(2, np.int32, 'action')

  def _observe(self) -> np.ndarray:
    shown = not self._hides_cue or self._steps == 0
    return np.array([shown and self._cue == 0, shown and self._cue == 1, self._state], np.float32)


def hiding(seed: int) -> TwoStates:
  """Whose cue has to be remembered."""
  return TwoStates(seed, hides_cue=True)


def truncating(seed: int) -> TwoStates:
  """In which no state is worth less because an episode is over."""
  return TwoStates(seed, truncates=True)


def record(episodes: int, mistakes: float = 0.0, truncates: bool = False, seed: int = 0) -> List[core.Step]:
  """Episodes of an expert that takes the wrong action in a share `mistakes` of all steps; leaves [T + 1, ...]."""
  environment, random, recorded = TwoStates(seed, truncates=truncates), np.random.default_rng(seed), []
  for _ in range(episodes):
    timestep, rows = environment.reset(), []
    while not timestep.last():
      right = timestep.observation[1] > 0
      observation, action = timestep.observation, np.int32(right != (random.random() < mistakes))
      timestep = environment.step(int(action))
      rows.append(core.Step(observation, action, timestep.reward, timestep.discount, first=not rows, last=False))
    rows.append(core.Step(timestep.observation, np.int32(0), 0.0, 0.0, first=False, last=True))
    recorded.append(datasets.episode(rows))
  return recorded
