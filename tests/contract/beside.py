"""Data beside actors: Q-learning from batches that are half replay and half what an expert has recorded."""

import dataclasses

import tensorflow as tf

import tfacme
from tests.contract import environment, layers
from tfacme import core, datasets, networks
from tfacme.replay import items, sources, tables

PAIRS = items.Items(length=2)


class Policy(networks.MemorylessPolicy):
  """Epsilon-greedy; adds to its rows what the data does not have."""

  def __init__(self, layer, epsilon):
    super().__init__()
    self._layer, self._epsilon = layer, epsilon

  def __call__(self, observation, state, context):
    values = self._layer(observation)[:, :2]
    return networks.epsilon_greedy(values, self._epsilon, context.seed), state, {'values': values}


class Update(layers.Update):
  """One step of Q-learning, which counts from where its rows are."""

  def loss(self, batch):
    steps = batch.steps
    values = self.network(steps.observation)[..., :2]
    target = steps.reward[:, 0] + 0.9 * steps.discount[:, 0] * tf.reduce_max(values[:, 1], axis=1)
    errors = tf.stop_gradient(target) - tf.gather(values[:, 0], steps.action[:, 0], batch_dims=1)
    is_recorded = batch.info.source == 1
    return tf.reduce_mean(errors**2), {
      'recorded': tf.reduce_mean(tf.cast(is_recorded, tf.float32)),
      'recorded_have_age': tf.reduce_mean(tf.cast(batch.info.age[is_recorded] >= 0, tf.float32)),
      'recorded_values': tf.reduce_max(tf.abs(steps.extras['values'][is_recorded])),
    }


@dataclasses.dataclass(frozen=True)
class Builder(core.Builder):
  """Replay, and as much of the experiment's data set."""

  def tables(self, spec):
    return [tables.Table(PAIRS, tables.sample_to_insert_ratio(8.0, 50, error_buffer=50.0), max_size=5000)]

  def source(self, spec):
    recorded = sources.Data(PAIRS, 1, zeros=['values'])
    return sources.Mix({sources.Sample('replay', 1): 0.5, recorded: 0.5}, batch_size=32)

  def policy(self, networks, spec, evaluation):
    return Policy(networks, 0.0 if evaluation else 0.2)

  def update(self, networks, spec):
    return Update(networks, learning_rate=0.005)


def experiment(seed: int = 0) -> tfacme.Experiment:
  """A run with actors that has a data set, of rows that look like theirs but for what their policy adds."""
  data, budget = datasets.memory(environment.record(50, mistakes=0.3)), tfacme.Budget(actor_steps=1500)
  return tfacme.Experiment(Builder(), environment.TwoStates, layers.linear, budget, seed, dataset=data)
