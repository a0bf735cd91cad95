"""Nested actions: PPO draws a choice and a real number at once."""

import numpy as np
from dm_env import specs

import tfacme
from tests.contract import environment
from tfacme.agents import ppo


class Hybrid(environment.TwoStates):
  """The action of the cue's number leads to state 1 only if it is pushed in the direction of the cue, too."""

  def step(self, action):
    """Goes to a state by a choice among two and a push between -3 and 3."""
    right = action['choice'] == self._cue and (action['push'][0] > 0) == self._cue
    return super().step(self._cue if right else 1 - self._cue)

  def action_spec(self):
    """A choice and a number."""
    push = specs.BoundedArray((1,), np.float32, -3.0, 3.0, 'push')
    return {'choice': specs.DiscreteArray(2, np.int32, 'choice'), 'push': push}


def experiment(seed: int = 0) -> tfacme.Experiment:
  """PPO as it is."""
  config = ppo.PPOConfig(
    unroll_length=16, batch_size=4, epochs=8, minibatches=2, learning_rate=0.01, discount=0.9, entropy_cost=0.001
  )
  return tfacme.Experiment(
    ppo.PPOBuilder(config), Hybrid, ppo.default_networks((16,)), tfacme.Budget(actor_steps=4000), seed
  )
