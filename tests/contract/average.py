"""Evaluation by an average: the update publishes it beside the policy, and the policy that is evaluated pulls it."""

import copy

import tensorflow as tf

import tfacme
from tests.contract import environment
from tfacme import core
from tfacme.agents import dqn

RATE = 0.1


class Update(tf.Module):
  """The agent's own update, and a copy of its policy that follows it."""

  def __init__(self, agent):
    super().__init__()
    self._agent, self.online = agent, agent.published['policy']
    self.average = copy.deepcopy(self.online)
    self.published = {**agent.published, 'average': self.average}

  def __call__(self, batch):
    output = self._agent(batch)
    for mean, new in zip(self.average.variables, self.online.variables):
      mean.assign_add(RATE * (new - mean))
    return output


class Builder(core.BuilderWrapper):
  """Any agent whose policy is a module of the same form in both."""

  def update(self, networks, spec):
    return Update(self.agent.update(networks, spec))

  def policy(self, networks, spec, evaluation):
    policy = self.agent.policy(networks, spec, evaluation)
    policy.pulls = 'average' if evaluation else 'policy'
    return policy


def experiment(seed: int = 0) -> tfacme.Experiment:
  """Around DQN."""
  config = dqn.DQNConfig(
    n_step=3, discount=0.9, batch_size=32, min_replay_size=100, samples_per_insert=8.0, epsilon=0.2, learning_rate=0.003
  )
  networks = dqn.mlp_networks(hidden_sizes=(16,))
  return tfacme.Experiment(
    Builder(dqn.DQNBuilder(config)), environment.TwoStates, networks, tfacme.Budget(actor_steps=3000), seed
  )
