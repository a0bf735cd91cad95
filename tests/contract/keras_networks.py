"""A Keras model as a network: its layers' names count up in each process, and policies list its variables otherwise."""

import tensorflow as tf

import tfacme
from tests.contract import environment
from tfacme import networks
from tfacme.agents import dqn


class Branches(tf.keras.Model):
  """Takes one layer's features from another's, so that it matters which is which."""

  def __init__(self, actions):
    super().__init__()
    self.right, self.left = (tf.keras.layers.Dense(8, activation='tanh') for _ in range(2))
    self.norm, self.head = tf.keras.layers.BatchNormalization(), tf.keras.layers.Dense(actions)

  def call(self, observation):
    return self.head(self.norm(self.left(observation) - 0.5 * self.right(observation)))


def branches(spec) -> dqn.DQNNetworks:
  """The model, with its variables."""
  q = Branches(spec.actions.num_values)
  networks.create_variables(q, spec.observations)
  return dqn.DQNNetworks(q)


def experiment(seed: int = 0) -> tfacme.Experiment:
  """DQN, as it is; its target is a copy of the model."""
  config = dqn.DQNConfig(
    n_step=3, discount=0.9, batch_size=32, min_replay_size=100, samples_per_insert=8.0, epsilon=0.2, learning_rate=0.003
  )
  return tfacme.Experiment(
    dqn.DQNBuilder(config), environment.TwoStates, branches, tfacme.Budget(actor_steps=3000), seed
  )
