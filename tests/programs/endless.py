"""An environment whose episodes find no end by themselves, for `test_endless.py`."""

import os

import dm_env
import numpy as np
from dm_env import specs


class Endless(dm_env.Environment):
  """A reward of 1 in each step, and no end; says by a file that an episode has come to its step 1,000."""

  def __init__(self):
    self._steps = 0

  def reset(self):
    self._steps = 0
    return dm_env.restart(np.zeros(1, np.float32))

  def step(self, action):
    self._steps += 1
    told = os.environ.get('TFACME_TEST_ENDLESS')
    if told and self._steps == 1000:
      with open(told, 'w', encoding='utf-8') as file:
        file.write('1,000 steps\n')
    return dm_env.transition(1.0, np.zeros(1, np.float32))

  def observation_spec(self):
    return specs.Array((1,), np.float32)

  def action_spec(self):
    return specs.DiscreteArray(2)

  def render(self):
    return np.zeros((10, 10, 3), np.uint8)


def forever(seed):
  """Whatever is done."""
  del seed
  return Endless()
