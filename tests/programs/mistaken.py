"""Experiments of a user who has made a mistake, for `test_places.py`; each is in a line that ends in its name."""

from __future__ import annotations

import dataclasses

import sonnet as snt
import tensorflow as tf
from bsuite.environments import catch

import tfacme
from tfacme import core, environments, loggers
from tfacme.agents import dqn
from tfacme.replay import relabelling


class Reshaping(snt.Module):
  """A network that takes its observations for other ones."""

  def __init__(self):
    super().__init__()
    self._values = snt.Linear(3)

  def __call__(self, observation):
    flat = tf.reshape(observation, [-1, 7])  # reshape
    return self._values(flat)


@dataclasses.dataclass(frozen=True)
class ReshapingNetworks:
  """Makes it."""

  def __call__(self, spec):
    return dqn.DQNNetworks(Reshaping())


class Silent(snt.Module):  # no output
  """A network that returns nothing."""

  def __call__(self, observation):
    del observation


@dataclasses.dataclass(frozen=True)
class SilentNetworks:
  """Makes it."""

  def __call__(self, spec):
    return dqn.DQNNetworks(Silent())


class _Update(tf.Module):
  """An update around another one."""

  def __init__(self, update):
    super().__init__()
    self._update, self.published = update, update.published

  def __call__(self, batch):
    return self._update(batch)


class _Typed(_Update):
  def __call__(self, batch):
    steps = batch.steps
    reward = steps.reward + steps.action  # type
    return self._update(batch._replace(steps=steps._replace(reward=reward)))


class _Failing(_Update):
  """Fails in the graph, long after Python has run its lines."""

  def __call__(self, batch):
    output = self._update(batch)
    check = tf.debugging.assert_less(output.metrics['loss'], -1.0, message='the loss is no reward')  # operation
    with tf.control_dependencies([check]):
      return output._replace(metrics={**output.metrics, 'loss': tf.identity(output.metrics['loss'])})


@dataclasses.dataclass(frozen=True)
class _Builder(core.BuilderWrapper):
  """DQN with one of these updates."""

  kind: type = _Update

  def update(self, networks, spec):
    return self.kind(self.agent.update(networks, spec))


@dataclasses.dataclass(frozen=True)
class _NoLoss:
  def __call__(self, online, target, transition):  # none
    tf.reduce_mean(online(transition.observation))


@dataclasses.dataclass(frozen=True)
class _Halves:
  """Explores with a half of an action."""

  def __call__(self, q, context):  # action
    return 0.5 * tf.cast(tf.argmax(q, axis=1), tf.float32)


class _Breaking(catch.Catch):
  def step(self, action):
    timestep = super().step(action)
    if timestep.last():
      timestep.reward.sum(axis=2)  # environment
    return timestep


def _breaking(seed):
  return _Breaking(seed=seed)


def _unmade(seed):
  return _Breaking(rows='ten')  # factory


def _rewrite(step):
  return step._replace(reward=step.reward + step.extras['bonus'])  # relabel


@dataclasses.dataclass(frozen=True)
class _Rewriting(core.BuilderWrapper):
  def relabel(self, spec):
    return relabelling.by_row(_rewrite)


class _Logger:
  """Takes no rows."""

  def write(self, name, row):
    raise OSError(f'no room for {name}')  # logger


class _Observer:
  def observe_first(self, *unused):
    pass

  def observe(self, *unused):
    pass

  def metrics(self):
    return {'share': 1 / 0}  # observer


def experiment(how: str) -> tfacme.Experiment:
  """DQN on catch with one of the mistakes."""
  config = dqn.DQNConfig(min_replay_size=50, batch_size=8)
  builder, parts = dqn.DQNBuilder(config), {}
  if how in ('reshape', 'no output'):
    parts['networks'] = {'reshape': ReshapingNetworks, 'no output': SilentNetworks}[how]()
  elif how == 'none':
    builder = dqn.DQNBuilder(config, loss=_NoLoss())
  elif how == 'action':
    builder = dqn.DQNBuilder(config, explore=_Halves())
  elif how == 'relabel':
    builder = _Rewriting(builder)
  elif how in ('environment', 'factory'):
    parts['environment'] = {'environment': _breaking, 'factory': _unmade}[how]
  elif how == 'logger':
    parts['loggers'] = [loggers.EachRow(_Logger().write)]
  elif how == 'observer':
    parts['observers'] = [_Observer]
  else:
    builder = _Builder(builder, kind={'type': _Typed, 'operation': _Failing}[how])
  return tfacme.Experiment(
    **{
      'builder': builder,
      'networks': dqn.mlp_networks(hidden_sizes=(8,)),
      'environment': environments.factory('bsuite:catch/0'),
      'budget': tfacme.Budget(actor_steps=400),
      'layout': tfacme.Layout(restarts=0),
      'evaluation': tfacme.Evaluation(every=0, episodes=1),
      **parts,
    }
  )
