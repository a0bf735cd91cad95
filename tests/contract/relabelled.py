"""Relabelled: values of actions by plain regression to the return to go, which each episode is given at its end."""

import dataclasses

import tensorflow as tf

import tfacme
from tests.contract import environment, layers
from tfacme import core, networks
from tfacme.replay import items, relabelling, sources, tables


class Policy(networks.MemorylessPolicy):
  """Epsilon-greedy."""

  def __init__(self, layer, epsilon):
    super().__init__()
    self._layer, self._epsilon = layer, epsilon

  def __call__(self, observation, state, context):
    return networks.epsilon_greedy(self._layer(observation)[:, :2], self._epsilon, context.seed), state, ()


class Update(layers.Update):
  """One step of the values towards what came in the two steps after their actions."""

  def loss(self, batch):
    steps, returns = batch.steps, batch.steps.extras['return_to_go']
    values = tf.gather(self.network(steps.observation)[..., :2], steps.action, batch_dims=2)
    return tf.reduce_mean(batch.mask * (values - returns) ** 2), {'return_to_go': tf.reduce_mean(returns)}


@dataclasses.dataclass(frozen=True)
class Builder(core.Builder):
  """Pairs of rows, rewritten before they come into the table."""

  def tables(self, spec):
    limiter = tables.sample_to_insert_ratio(8.0, 100, error_buffer=100.0)
    return [tables.Table(items.Items(length=2), limiter, max_size=1000)]

  def source(self, spec):
    return sources.Sample('replay', batch_size=32)

  def relabel(self, spec):
    return relabelling.returns_to_go(discount=0.5)

  def policy(self, networks, spec, evaluation):
    return Policy(networks, 0.0 if evaluation else 0.2)

  def update(self, networks, spec):
    return Update(networks)


def experiment(seed: int = 0, **parts) -> tfacme.Experiment:
  """In the environment whose rewards come one step later."""
  parts = {'budget': tfacme.Budget(actor_steps=1500), **parts}
  return tfacme.Experiment(Builder(), environment.TwoStates, layers.linear, seed=seed, **parts)
