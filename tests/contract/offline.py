"""Offline: behaviour cloning from an RLDS folder, of an expert who makes mistakes."""

import tensorflow as tf

import tfacme
from tests.contract import environment, layers
from tfacme import core, datasets, updates
from tfacme.replay import items, sources


class Update(tf.Module):
  """One step towards the recorded actions."""

  def __init__(self, layer):
    super().__init__()
    self._layer, self._optimizer = layer, updates.Adam(layer.trainable_variables, 0.02)
    self.published = {'policy': layer}

  def __call__(self, batch):
    with tf.GradientTape() as tape:
      logits = self._layer(batch.steps.observation)[..., :2]
      surprise = tf.nn.sparse_softmax_cross_entropy_with_logits(batch.steps.action, logits)
      loss = tf.reduce_sum(batch.mask * surprise) / tf.reduce_sum(batch.mask)
    self._optimizer.apply(tape.gradient(loss, self._optimizer.parameters))
    return core.UpdateOutput({'loss': loss})


class Builder(core.Builder):
  """No tables: only recorded data."""

  def source(self, spec):
    return sources.Data(items.Items(length=3), batch_size=32)

  def policy(self, networks, spec, evaluation):
    return layers.Greedy(networks)

  def update(self, networks, spec):
    return Update(networks)


def experiment(path: str, seed: int = 0) -> tfacme.Experiment:
  """From the episodes in a folder; the environment is for the evaluations."""
  return tfacme.Experiment(
    Builder(),
    environment.TwoStates,
    layers.linear,
    tfacme.Budget(learner_steps=300),
    seed,
    dataset=datasets.rlds(path),
  )
