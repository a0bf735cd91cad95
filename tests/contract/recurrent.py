"""Recurrent: Q-learning from padded sequences, with stored states that are burned in."""

import tensorflow as tf

import tfacme
from tests.contract import environment, layers
from tfacme import core, networks
from tfacme.replay import items, sources, tables


class Policy(tf.Module):
  """Epsilon-greedy; the state before an action goes into the row of that action."""

  def __init__(self, network, epsilon):
    super().__init__()
    self._network, self._epsilon, self.initial_state = network, epsilon, network.initial_state

  def __call__(self, observation, state, context):
    values, new_state = self._network(observation, state)
    return networks.epsilon_greedy(values, self._epsilon, context.seed), new_state, {'state': state}


class Update(layers.Update):
  """One step of Q-learning; in the first row of an item that begins within an episode it only warms up the state."""

  burn_in = 1

  def loss(self, batch):
    steps = batch.steps
    weight = batch.mask * tf.cast(steps.first[:, :1] | (tf.range(batch.mask.shape[1]) >= self.burn_in), tf.float32)
    values = self._unroll(steps)
    target = steps.reward[:, :-1] + 0.5 * steps.discount[:, :-1] * tf.reduce_max(values, axis=2)[:, 1:]
    errors = tf.stop_gradient(target) - tf.gather(values, steps.action, batch_dims=2)[:, :-1]
    return tf.reduce_mean(weight[:, :-1] * errors**2), {}

  def _unroll(self, steps):
    """Action values [B, T, 2]; no gradient goes back into the burn-in, unless an episode begins there."""
    state, values = tf.nest.map_structure(lambda x: x[:, 0], steps.extras['state']), []
    for t in range(steps.reward.shape[1]):
      if t == self.burn_in:
        state = tf.nest.map_structure(lambda x: tf.where(steps.first[:, :1], x, tf.stop_gradient(x)), state)
      value, state = self.network(steps.observation[:, t], state)
      values.append(value)
    return tf.stack(values, axis=1)


class Builder(core.Builder):
  """Sequences, most of which begin where the cue can't be seen any more."""

  def tables(self, spec):
    sequences = items.Items(length=5, period=2, once=['state'])
    return [tables.Table(sequences, tables.sample_to_insert_ratio(8.0, 100, error_buffer=100.0), max_size=5000)]

  def source(self, spec):
    return sources.Sample('replay', batch_size=32)

  def policy(self, networks, spec, evaluation):
    return Policy(networks, 0.0 if evaluation else 0.2)

  def update(self, networks, spec):
    return Update(networks, learning_rate=0.005)


def experiment(seed: int = 0) -> tfacme.Experiment:
  """Episodes of which only the first observation says what to do."""
  return tfacme.Experiment(Builder(), environment.hiding, layers.recurrent, tfacme.Budget(actor_steps=2000), seed)
