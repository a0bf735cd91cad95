"""Randomness in learning: dropout in the network, and observations that are altered on their way to the update."""

import dataclasses

import sonnet as snt
import tensorflow as tf

import tfacme
from tests.contract import environment
from tfacme import core, networks
from tfacme.agents import dqn
from tfacme.replay import sources


def blur(batch: core.Batch) -> core.Batch:
  """A batch whose observations are a little off, by other amounts in each learning step."""
  observation = batch.steps.observation
  noise = 0.05 * tf.random.stateless_normal(tf.shape(observation), networks.draw())
  return batch._replace(steps=batch.steps._replace(observation=observation + noise))


@dataclasses.dataclass(frozen=True)
class Builder(dqn.DQNBuilder):
  """DQN that learns from blurred observations, and acts by clear ones."""

  def source(self, spec):
    return sources.Map(blur, super().source(spec))


def dropping_networks(spec) -> dqn.DQNNetworks:
  """A hidden layer of which each learning step sees a part."""
  layers = [snt.Linear(32), tf.nn.relu, networks.Dropout(0.1), snt.Linear(spec.actions.num_values)]
  return dqn.DQNNetworks(snt.Sequential(layers))


def experiment(seed: int = 0) -> tfacme.Experiment:
  """What acts, evaluates and is exported drops nothing."""
  config = dqn.DQNConfig(
    n_step=2, discount=0.9, batch_size=32, min_replay_size=100, samples_per_insert=8.0, epsilon=0.2, learning_rate=0.003
  )
  return tfacme.Experiment(
    Builder(config), environment.TwoStates, dropping_networks, tfacme.Budget(actor_steps=4000), seed
  )
