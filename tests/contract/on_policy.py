"""On-policy: an actor-critic that learns once from each item of a queue; items run on into the next episode."""

import functools

import tensorflow as tf

import tfacme
from tests.contract import environment, layers
from tfacme import core, networks
from tfacme.replay import items, sources, tables


class Policy(networks.MemorylessPolicy):
  """Draws actions by their logits; takes the likeliest one in an evaluation."""

  def __init__(self, layer, evaluation):
    super().__init__()
    self._layer, self._evaluation = layer, evaluation

  def __call__(self, observation, state, context):
    logits = self._layer(observation)[:, :2]
    drawn = tf.random.stateless_categorical(logits, 1, context.seed, tf.int32)[:, 0]
    return tf.argmax(logits, 1, tf.int32) if self._evaluation else drawn, state, {'logits': logits}


class Update(layers.Update):
  """One step along the policy gradient, and of the values towards the returns."""

  def loss(self, batch):
    steps = batch.steps
    surprise = functools.partial(tf.nn.sparse_softmax_cross_entropy_with_logits, steps.action)
    logits, values = tf.split(self.network(steps.observation), [2, 1], axis=2)
    returns = [values[:, -1, 0]]
    for t in reversed(range(batch.mask.shape[1] - 1)):
      onward = steps.reward[:, t] + 0.9 * steps.discount[:, t] * returns[0]
      # The row of a final observation is worth its value, whatever the next episode brings.
      returns.insert(0, tf.where(batch.mask[:, t] > 0, onward, values[:, t, 0]))
    advantage = tf.stop_gradient(tf.stack(returns, axis=1)) - values[..., 0]
    # Actions of an older policy count for less where the policy of today would hardly take them.
    ratio = tf.exp(surprise(steps.extras['logits']) - surprise(logits))
    weight = batch.mask * tf.stop_gradient(tf.minimum(ratio, 1.0))
    return tf.reduce_mean(weight * (tf.stop_gradient(advantage) * surprise(logits) + advantage**2)), {}


class Builder(core.Builder):
  """A queue of items that share one row with the next one, so that no transition is learned from twice."""

  def tables(self, spec):
    return [tables.queue(items.Items(length=11, period=10, end='continue'), size=8)]

  def source(self, spec):
    return sources.Sample('queue', batch_size=4)

  def policy(self, networks, spec, evaluation):
    return Policy(networks, evaluation)

  def update(self, networks, spec):
    return Update(networks)


def experiment(seed: int = 0) -> tfacme.Experiment:
  """In episodes that are truncated, so that it matters where returns end."""
  return tfacme.Experiment(Builder(), environment.truncating, layers.linear, tfacme.Budget(actor_steps=2000), seed)
