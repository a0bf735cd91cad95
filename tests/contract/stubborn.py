"""An actor of one's own, with noise that lasts an episode: in some episodes it does the opposite of what it should."""

import dataclasses

import numpy as np

import tfacme
from tests.contract import environment
from tfacme.agents import dqn
from tfacme.workers import acting


class Stubborn(acting.PolicyActor):
  """Acts by the policy; for each episode of each slot it is drawn whether all its actions are turned around."""

  def __init__(self, parts, share):
    super().__init__(parts)
    self._random, self._share = np.random.default_rng(parts.seed), share
    self._turned = np.zeros(len(parts.environments), np.bool_)

  def act(self, observation, first, steps):
    drawn = self._random.random(len(self._turned)) < self._share
    self._turned = np.where(first, drawn, self._turned)
    actions, extras = super().act(observation, first, steps)
    return np.where(self._turned, 1 - actions, actions).astype(actions.dtype), extras


@dataclasses.dataclass(frozen=True)
class Builder(dqn.DQNBuilder):
  """DQN with this actor.

  Attributes:
    share: of the episodes in which actions are turned around.
  """

  share: float = 0.5

  def actor(self, parts):
    return None if parts.evaluation else Stubborn(parts, self.share)


def experiment(seed: int = 0) -> tfacme.Experiment:
  """It explores in no other way."""
  config = dqn.DQNConfig(
    n_step=2, discount=0.9, batch_size=32, min_replay_size=100, samples_per_insert=8.0, epsilon=0.0, learning_rate=0.005
  )
  return tfacme.Experiment(
    Builder(config), environment.TwoStates, dqn.mlp_networks((16,)), tfacme.Budget(actor_steps=2500), seed
  )
