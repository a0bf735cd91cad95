"""An actor of one's own, with noise that lasts an episode: in some states it insists on the wrong action."""

import dataclasses

import numpy as np
import tensorflow as tf
from dm_env import specs

import tfacme
from tests.contract import environment
from tfacme.agents import dqn
from tfacme.workers import acting


class Turned(tf.Module):
  """A policy whose actions are turned around throughout an episode, in each of both states with some probability."""

  def __init__(self, policy, probability):
    super().__init__()
    self._policy, self._probability = policy, probability

  def initial_state(self, batch_size):
    return {'policy': self._policy.initial_state(batch_size), 'noise': tf.zeros([batch_size, 2])}

  def __call__(self, observation, state, context):
    action, policy_state, extras = self._policy(observation, state['policy'], context)
    draw = lambda seed: tf.random.stateless_uniform([2], seed)
    drawn = tf.map_fn(draw, context.episode_seed, fn_output_signature=tf.float32)
    noise = tf.where(context.first[:, tf.newaxis], drawn, state['noise'])
    turned = tf.gather(noise, tf.cast(observation[:, 2], tf.int32), batch_dims=1) < self._probability
    action = tf.where(turned, 1 - action, action)
    return action, {'policy': policy_state, 'noise': noise}, {**extras, 'noise': noise}


class Stubborn(acting.PolicyActor):
  """Acts by the policy, turned around; what is evaluated and exported is the policy itself."""

  def __init__(self, parts, probability):
    super().__init__(dataclasses.replace(parts, policy=Turned(parts.policy, probability)))


class Update(tf.Module):
  """The agent's own, which tells how much the noise differs within items, and between them."""

  def __init__(self, agent):
    super().__init__()
    self._agent, self.published = agent, agent.published

  def __call__(self, batch):
    output, noise = self._agent(batch), batch.steps.extras['noise']
    within = tf.reduce_max(batch.mask[..., tf.newaxis] * tf.abs(noise - noise[:, :1]))  # An item is of one episode.
    between = tf.math.reduce_std(noise[:, 0])
    return output._replace(metrics={**output.metrics, 'noise_within': within, 'noise_between': between})


@dataclasses.dataclass(frozen=True)
class Builder(dqn.DQNBuilder):
  """DQN with this actor, which turns actions around with some probability."""

  probability: float = 0.3

  def actor(self, parts):
    return None if parts.evaluation else Stubborn(parts, self.probability)

  def extras(self, spec):
    return {'noise': specs.Array((2,), np.float32)}

  def update(self, networks, spec):
    return Update(super().update(networks, spec))


def experiment(seed: int = 0, steps: int = 2000) -> tfacme.Experiment:
  """It explores in no other way."""
  config = dqn.DQNConfig(
    n_step=2, discount=0.9, min_replay_size=100, epsilon=0.0, learning_rate=0.005, target_update_period=20
  )
  return tfacme.Experiment(
    Builder(config), environment.TwoStates, dqn.mlp_networks((16,)), tfacme.Budget(actor_steps=steps), seed
  )
