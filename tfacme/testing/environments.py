"""Small environments, in which an agent learns within seconds."""

from __future__ import annotations

import dm_env
import numpy as np
from dm_env import specs


class TwoStates(dm_env.Environment):
  """Each step that begins in state 1 pays 1, and one that begins in state 0 nothing.

  A cue, 0 or 1, is drawn for each episode. The action of that number leads to state 1, the other one to state 0, where
  an episode begins too. So every action is paid for one step later: it takes a return or a value to see what it is
  worth. An observation is float32 [3]: the cue as a one-hot vector, and the state.

  Attributes:
    length: steps of an episode.
    best: the return of an agent that does everything right; half of it is chance.
  """

  length = 5
  best = length - 1.0

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
    self._cue, self._state, self._steps = 0, 0, self.length

  def reset(self) -> dm_env.TimeStep:
    """Begins an episode."""
    self._cue, self._state, self._steps = int(self._random.integers(2)), 0, 0
    return dm_env.restart(self._observe())

  def step(self, action: int) -> dm_env.TimeStep:
    """Goes to a state, and pays for the one that it leaves; begins an episode if the last one has ended."""
    if self._steps == self.length:
      return self.reset()
    reward, self._state = float(self._state), int(action == self._cue)
    self._steps += 1
    if self._steps == self.length:
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


class Reach(dm_env.Environment):
  """A point on a line that is pushed towards a target; episodes of ten steps, cut off and not terminated.

  The observation is the place and the target, the reward minus their distance.
  """

  def __init__(self, seed: int = 0):
    """Makes the environment; `seed` is of the places and targets."""
    self._random = np.random.default_rng(seed)
    self._place, self._target, self._steps = 0.0, 0.0, 10

  def reset(self) -> dm_env.TimeStep:
    """Begins an episode."""
    self._place, self._target = self._random.uniform(-1, 1, 2)
    self._steps = 0
    return dm_env.restart(self._observation())

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    """Pushes the point; begins an episode if the last one has ended."""
    if self._steps == 10:
      return self.reset()
    self._place += 0.25 * float(np.clip(action[0], -2.0, 2.0))
    self._steps += 1
    make = dm_env.truncation if self._steps == 10 else dm_env.transition
    return make(-abs(self._place - self._target), self._observation())

  def observation_spec(self) -> specs.Array:
    """The place and the target."""
    return specs.Array((2,), np.float32, 'place_and_target')

  def action_spec(self) -> specs.BoundedArray:
    """The push."""
    return specs.BoundedArray((1,), np.float32, -2.0, 2.0, 'push')

  def _observation(self) -> np.ndarray:
    return np.array([self._place, self._target], np.float32)
