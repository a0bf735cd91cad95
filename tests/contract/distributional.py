"""Critics of distributions: a deterministic policy climbs the mean of what a critic learns, by any of three heads."""

import dataclasses
import functools
from typing import Callable

import tensorflow as tf

import tfacme
from tests.contract import environment
from tfacme import configs, core, networks, updates
from tfacme.losses import distributional
from tfacme.replay import items, sources, tables

HEADS = {  # each with the loss by which it learns
  'discrete': (functools.partial(networks.DiscreteValueHead, 0, 4), distributional.categorical_cross_entropy),
  'quantiles': (networks.QuantileHead, distributional.quantile_huber),
  'mixture': (networks.GaussianMixtureHead, distributional.SampledCrossEntropy()),
}


@dataclasses.dataclass(frozen=True)
class Networks(networks.policy_and_critics):
  """A policy, and critics with a head."""

  head: Callable = networks.ValueHead

  def policy_head(self, size):
    return networks.DeterministicHead(size)

  def critic_head(self):
    return self.head()


class Update(tf.Module):
  """One step of a critic towards the values of the policy's actions, and one of the policy towards better ones."""

  def __init__(self, made, loss):
    super().__init__()
    self._policy, (self._critic,), self._loss = made.policy, made.critics, loss
    self._critic_optimizer = updates.Adam(self._critic.trainable_variables, 0.01)
    self._policy_optimizer = updates.Adam(self._policy.trainable_variables, 0.001)
    self.published = {'policy': self._policy}

  def __call__(self, batch):
    transition = updates.n_step_transition(batch, configs.NStepConfig(discount=0.5))
    values = lambda observation: self._critic(observation, self._policy(observation).mode())
    target = values(transition.next_observation).backup(transition.returns, transition.discount)
    online = lambda: self._critic(transition.observation, transition.action)
    loss = self._critic_optimizer.minimize(lambda: tf.reduce_mean(self._loss(online(), target))).value
    self._policy_optimizer.minimize(lambda: -tf.reduce_mean(values(transition.observation).mean()))
    return core.UpdateOutput({'loss': loss})


@dataclasses.dataclass(frozen=True)
class Builder(core.Builder):
  """Single transitions; the first actions are random, and all others noisy."""

  loss: Callable

  def tables(self, spec):
    return [tables.Table(items.Items(length=2), tables.sample_to_insert_ratio(16.0, 400, 100.0), max_size=5000)]

  def source(self, spec):
    return sources.Sample('replay', batch_size=32)

  def policy(self, made, spec, evaluation):
    noisy = networks.NoisyMode(spec.actions, deviation=1.0, random_steps=400)
    return networks.NetworkPolicy(made.policy, networks.Mode(spec.actions) if evaluation else noisy)

  def update(self, made, spec):
    return Update(made, self.loss)


def experiment(name: str, seed: int = 0) -> tfacme.Experiment:
  """With a critic that has the head of this name."""
  (head, loss), budget = HEADS[name], tfacme.Budget(actor_steps=4000)
  return tfacme.Experiment(Builder(loss), environment.Pushed, Networks((32,), critics=1, head=head), budget, seed)
