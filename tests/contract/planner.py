"""A planner: its actor tries each action in a copy of the environment; it learns values, and what the planner does."""

import copy

import numpy as np
import tensorflow as tf
from dm_env import specs

import tfacme
from tests.contract import environment, layers
from tfacme import core
from tfacme.replay import items, sources, tables


class Planner:
  """Looks one step ahead, to the reward there and the value behind it; see `core.Actor`."""

  def __init__(self, parts):
    self._parts, self._layer = parts, tf.function(parts.policy.layer)
    self._random, self.update = np.random.default_rng(parts.seed), parts.variables.update

  @property
  def version(self):
    return self._parts.variables.version

  def act(self, observation, first, steps):
    tried = [copy.deepcopy(real).step(action) for real in self._parts.environments for action in (0, 1)]
    values = self._layer(np.stack([t.observation for t in tried]))[:, 2].numpy()
    # A slot that has played all its episodes begins another one in its copies, and is paid nothing for that.
    worth = np.reshape([(t.reward or 0.0) + 0.9 * (t.discount or 0.0) * v for t, v in zip(tried, values)], [-1, 2])
    best = worth.argmax(axis=1).astype(np.int32)
    explores = self._random.random(len(best)) < (0.0 if self._parts.evaluation else 0.2)
    return np.where(explores, self._random.integers(2, size=len(best)), best).astype(np.int32), {'plan': best}


class Update(layers.Update):
  """One step of the values towards the next ones, and of the policy towards the actions of the planner."""

  def loss(self, batch):
    steps = batch.steps
    logits, values = tf.split(self.network(steps.observation), [2, 1], axis=2)
    target = steps.reward[:, 0] + 0.9 * steps.discount[:, 0] * values[:, 1, 0]
    surprise = tf.nn.sparse_softmax_cross_entropy_with_logits(steps.extras['plan'][:, 0], logits[:, 0])
    return tf.reduce_mean((tf.stop_gradient(target) - values[:, 0, 0]) ** 2 + surprise), {}


class Builder(core.Builder):
  """Single transitions, and an actor of its own."""

  def tables(self, spec):
    return [tables.Table(items.Items(length=2), tables.sample_to_insert_ratio(8.0, 100, 100.0), max_size=5000)]

  def source(self, spec):
    return sources.Sample('replay', batch_size=32)

  def policy(self, networks, spec, evaluation):
    return layers.Greedy(networks)  # what the planner mostly does, without planning: it is what is exported

  def actor(self, parts):
    return Planner(parts)

  def extras(self, spec):
    return {'plan': specs.Array((), np.int32)}

  def update(self, networks, spec):
    return Update(networks, learning_rate=0.01)


def experiment(seed: int = 0) -> tfacme.Experiment:
  """In the environment whose rewards come one step later than a step of planning sees."""
  return tfacme.Experiment(Builder(), environment.TwoStates, layers.linear, tfacme.Budget(actor_steps=1000), seed)
