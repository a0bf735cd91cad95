"""Offline: behaviour cloning from an RLDS folder, of an expert who makes mistakes."""

import tensorflow as tf

import tfacme
from tests.contract import environment, layers
from tfacme import core, datasets
from tfacme.replay import items, sources


class Update(layers.Update):
  """One step towards the recorded actions."""

  def loss(self, batch):
    logits = self.network(batch.steps.observation)[..., :2]
    surprise = tf.nn.sparse_softmax_cross_entropy_with_logits(batch.steps.action, logits)
    return tf.reduce_sum(batch.mask * surprise) / tf.reduce_sum(batch.mask), {}


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
