"""A variant of Q-learning as a loss, and noisy layers in the place of random actions; all else is DQN."""

import sonnet as snt
import tensorflow as tf

import tfacme
from tests.contract import environment
from tfacme import networks
from tfacme.agents import dqn
from tfacme.losses import q_learning, values


def soft_q_learning(online, target, transition) -> q_learning.Losses:
  """Towards what a softmax policy would be worth, instead of the best action (Haarnoja et al. 2017, equation 6)."""
  next_value = 0.1 * tf.reduce_logsumexp(target(transition.next_observation) / 0.1, axis=1)
  q = values.of_actions(online(transition.observation), transition.action)
  errors = transition.returns + transition.discount * next_value - q
  return q_learning.Losses(errors**2, errors, {'q': tf.reduce_mean(q)})


def noisy_networks(spec) -> dqn.DQNNetworks:
  """Two layers, both of them noisy."""
  layers = [networks.NoisyLinear(16, initial_noise=1.0), tf.nn.relu, networks.NoisyLinear(spec.actions.num_values)]
  return dqn.DQNNetworks(snt.Sequential(layers))


def greedy(q, context):
  """The best action by values that are noisy themselves."""
  return networks.epsilon_greedy(q, 0.0, context.seed)


def experiment(seed: int = 0) -> tfacme.Experiment:
  """Double Q-learning would do as well; nothing of DQN is told apart from a loss and an exploration."""
  config = dqn.DQNConfig(
    n_step=2, discount=0.9, batch_size=32, min_replay_size=100, samples_per_insert=8.0, learning_rate=0.01
  )
  return tfacme.Experiment(
    dqn.DQNBuilder(config, loss=soft_q_learning, explore=greedy),
    environment.TwoStates,
    noisy_networks,
    tfacme.Budget(actor_steps=2000),
    seed,
  )
