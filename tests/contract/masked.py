"""Masks of legal actions: an environment in which an illegal action is an error, whoever takes it."""

import dataclasses

import numpy as np
from dm_env import specs

import tfacme
from tests.contract import environment
from tfacme.agents import dqn

ACTIONS = 4


class Masked(environment.TwoStates):
  """Of four actions only the right one and another one are legal; which one that is differs from step to step.

  Attributes:
    taken: how many actions were taken in all environments of this process.
  """

  taken = 0

  def step(self, action):
    """Goes to a state; the two that pay for a cue are the actions of its number, as in `TwoStates`."""
    if not self._legal[action]:
      raise ValueError(f'Action {action} is illegal where {self._legal} are legal.')
    Masked.taken += 1
    return super().step(int(action))

  def observation_spec(self):
    """The cue and the state, and which actions are legal."""
    return {'action_mask': specs.Array((ACTIONS,), np.bool_), 'place': super().observation_spec()}

  def action_spec(self):
    """Four actions."""
    return specs.DiscreteArray(ACTIONS, np.int32, 'action')

  def _observe(self):
    self._legal = np.zeros(ACTIONS, np.bool_)
    self._legal[[self._cue, self._random.choice(np.delete(np.arange(ACTIONS), self._cue))]] = True
    return {'action_mask': self._legal.copy(), 'place': super()._observe()}


def experiment(seed: int = 0, steps: int = 3000, **changes) -> tfacme.Experiment:
  """DQN as it is."""
  config = dqn.DQNConfig(
    n_step=2, discount=0.9, batch_size=32, min_replay_size=100, samples_per_insert=8.0, epsilon=0.2, learning_rate=0.003
  )
  config = dataclasses.replace(config, **changes)
  return tfacme.Experiment(
    dqn.DQNBuilder(config), Masked, dqn.default_networks((16,)), tfacme.Budget(actor_steps=steps), seed
  )
