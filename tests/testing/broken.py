"""Environments that have one fault each, and a healthy one."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from typing import List

import dm_env
import numpy as np
from dm_env import specs

PROCESSES: List[subprocess.Popen] = []  # that were started here


class Healthy(dm_env.Environment):
  """Three numbers, one of which an action turns around; episodes of 5 to 14 steps."""

  def __init__(self, seed: int):
    self._random = np.random.default_rng(seed)
    self._place, self._left, self.steps, self.resets = np.zeros(3, np.float32), 0, 0, 0

  def reset(self) -> dm_env.TimeStep:
    self.resets += 1
    self._place = self._random.uniform(-1, 1, 3).astype(np.float32)
    self._left = int(self._random.integers(5, 15))
    return dm_env.restart(self.observe())

  def step(self, action) -> dm_env.TimeStep:
    if self._left == 0:
      return self.reset()
    self.steps += 1
    self._left -= 1
    self._place[int(action)] *= -0.9
    make = dm_env.termination if self._left == 0 else dm_env.transition
    return make(self.reward(), self.observe())

  def reward(self) -> float:
    return float(self._place[0])

  def observe(self) -> np.ndarray:
    return self._place.copy()

  def observation_spec(self) -> specs.BoundedArray:
    return specs.BoundedArray((3,), np.float32, -1.0, 1.0, 'place')

  def action_spec(self) -> specs.DiscreteArray:
    return specs.DiscreteArray(2, np.int32, 'action')


class Reusing(Healthy):
  """Gives the same array again."""

  def __init__(self, seed):
    super().__init__(seed)
    self._shown = np.zeros(3, np.float32)

  def observe(self):
    self._shown[:] = self._place
    return self._shown


class WrongType(Healthy):
  """Gives double precision at step 300."""

  def observe(self):
    return self._place.astype(np.float64) if self.steps == 300 else super().observe()


class NotANumber(Healthy):
  """Gives a reward that is none."""

  def reward(self):
    return float('nan') if self.steps == 40 else super().reward()


class Blind(Healthy):
  """Gives an observation that has one."""

  def observe(self):
    return np.float32([0, np.inf, 0]) if self.steps == 40 else super().observe()


class Endless(Healthy):
  """Never ends."""

  def reset(self):
    timestep = super().reset()
    self._left = -1
    return timestep


class SameSeed(Healthy):
  """Ignores its seed."""

  def __init__(self, seed):
    super().__init__(0)


class NoSeed(Healthy):
  """Draws from what no seed sets."""

  def __init__(self, seed):
    super().__init__(None)


class OutOfBounds(Healthy):
  """Begins an episode beyond its bounds."""

  def reset(self):
    timestep = super().reset()
    return timestep._replace(observation=np.float32([0, 2, 0])) if self.resets == 4 else timestep


class Slow(Healthy):
  """Takes its time."""

  def step(self, action):
    time.sleep(0.012)
    return super().step(action)


class Printing(Healthy):
  """Prints, as Python does."""

  def reset(self):
    print('a new episode')
    return super().reset()


class PrintingBelow(Healthy):
  """Prints, as a library of another language does."""

  def reset(self):
    os.write(1, b'a new episode\n')
    return super().reset()


class Moving(Healthy):
  """Changes the current folder."""

  def __init__(self, seed):
    super().__init__(seed)
    os.chdir(tempfile.gettempdir())


class Starting(Healthy):
  """Starts a process, and leaves it."""

  def __init__(self, seed):
    super().__init__(seed)
    PROCESSES.append(subprocess.Popen(['sleep', '300']))


class Threading(Healthy):
  """Starts a thread, and leaves it."""

  stop = threading.Event()

  def __init__(self, seed):
    super().__init__(seed)
    threading.Thread(target=self.stop.wait, name='simulator', daemon=True).start()


class Raising(Healthy):
  """Raises once."""

  def reward(self):
    if self.steps == 150:
      raise RuntimeError('the simulator is gone')
    return super().reward()


class Leaving(Healthy):
  """Ends its process."""

  def reward(self):
    if self.steps == 150:
      raise SystemExit(3)
    return super().reward()


class Nothing(Healthy):
  """Returns None once."""

  def step(self, action):
    timestep = super().step(action)
    return timestep if self.steps != 100 else None


class Shared(Healthy):
  """Gives its own state."""

  def step(self, action):
    self._place = self._place.copy()
    return super().step(action)

  def observe(self):
    return self._place


class Writing(Healthy):
  """Writes into its action."""

  def action_spec(self):
    return specs.BoundedArray((1,), np.float32, -1.0, 1.0, 'push')

  def step(self, action):
    push, action[0] = action[0] > 0, 0.0
    return super().step(push)


class Stopping(Healthy):
  """Does not begin another episode by itself."""

  def step(self, action):
    if self._left == 0:
      raise RuntimeError('call reset() first')
    return super().step(action)


class Restarting(Healthy):
  """Begins an episode within another one."""

  def step(self, action):
    return self.reset() if self.steps == 100 else super().step(action)


class Continuing(Healthy):
  """Does not begin an episode where it is told to, but for the first."""

  def reset(self):
    timestep = super().reset()
    return timestep if self.resets < 3 else dm_env.transition(0.0, timestep.observation)


class Beyond(Healthy):
  """Leaves its bounds within an episode."""

  def observe(self):
    return np.float32([0, 3, 0]) if self._left == 4 else super().observe()


class Worthless(Healthy):
  """Pays nothing."""

  def reward(self):
    return 0.0


class Dear(Healthy):
  """Pays too much."""

  def reward(self):
    return 1e6 * super().reward()


class Unclosing(Healthy):
  """Can't be closed."""

  def close(self):
    raise OSError('the device is busy')


class Unmade(Healthy):
  """Can't be made."""

  def __init__(self, seed):
    super().__init__(seed)
    raise FileNotFoundError('no level 3')


class Texts(Healthy):
  """Observes what is no number."""

  def observation_spec(self):
    return specs.StringArray(())


class Same(Healthy):
  """Draws nothing."""

  def reset(self):
    self._random = np.random.default_rng(0)
    return super().reset()
