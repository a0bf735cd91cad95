"""A reward of two parts, which go as such through n-step returns to a loss that weighs them."""

import dataclasses

import dm_env
import numpy as np
import tensorflow as tf
from dm_env import specs

import tfacme
from tests.contract import environment
from tfacme.agents import dqn
from tfacme.losses import q_learning, values
from tfacme.specs import check_discrete


class TwoParts(environment.TwoStates):
  """Pays twice for state 1, and takes one of it away again, as another part."""

  def step(self, action) -> dm_env.TimeStep:
    """Goes to a state, and pays for the one that it leaves."""
    timestep = super().step(action)
    if timestep.first():
      return timestep
    return timestep._replace(reward=np.array([2.0, -1.0], np.float32) * np.float32(timestep.reward))

  def reward_spec(self) -> specs.Array:
    """Both parts."""
    return specs.Array((2,), np.float32, 'reward')


@dataclasses.dataclass(frozen=True)
class Weighted:
  """Q-learning of a weighted sum of the parts.

  Attributes:
    weights: of each part.
  """

  weights: tuple = (1.0, 1.0)

  def __call__(self, online, target, transition) -> q_learning.Losses:
    returns = tf.linalg.matvec(transition.returns, tf.constant(self.weights))
    next_value = tf.reduce_max(target(transition.next_observation), axis=1)
    errors = (
      returns + transition.discount * next_value - values.of_actions(online(transition.observation), transition.action)
    )
    return q_learning.Losses(errors**2, errors, {})


@dataclasses.dataclass(frozen=True)
class Builder(dqn.DQNBuilder):
  """DQN that takes rewards of several parts."""

  def check(self, spec):
    check_discrete('This toy', spec.actions)


def experiment(seed: int = 0) -> tfacme.Experiment:
  """The sum of both parts is what `TwoStates` pays."""
  config = dqn.DQNConfig(
    n_step=3, discount=0.9, batch_size=32, min_replay_size=100, samples_per_insert=8.0, epsilon=0.2, learning_rate=0.003
  )
  return tfacme.Experiment(
    Builder(config, loss=Weighted()), TwoParts, dqn.mlp_networks((16,)), tfacme.Budget(actor_steps=3000), seed
  )
