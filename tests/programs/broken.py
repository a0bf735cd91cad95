"""Environments and an agent that break, for `test_faults.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from bsuite.environments import catch

import tfacme
from tfacme import environments
from tfacme.agents import dqn


class _Counting(catch.Catch):
  """Catch that does something at its step 1,000."""

  def __init__(self, seed=None):
    super().__init__(seed=seed)
    self.steps = 0

  def step(self, action):
    self.steps += 1
    timestep = super().step(action)
    return self.spoil(timestep) if self.steps == 1000 else timestep

  def spoil(self, timestep):
    return timestep


class _Raising(_Counting):
  def spoil(self, timestep):
    raise RuntimeError('the motor is on fire')


class _NaN(_Counting):
  def spoil(self, timestep):
    return timestep._replace(observation=np.full_like(timestep.observation, np.nan))


def raising(seed):
  """Raises at step 1,000."""
  return _Raising(seed)


def nan_observation(seed):
  """Has a NaN in the observation of step 1,000."""
  return _NaN(seed)


class _BrokenUpdate(tf.Module):
  """An update that goes wrong at its step 100: by an exception, or by a loss that is NaN."""

  def __init__(self, update, how):
    super().__init__()
    self._update = update
    self._how = how
    self._calls = tf.Variable(0, trainable=False)
    self.published = update.published

  def __call__(self, batch):
    output = self._update(batch)
    calls = self._calls.assign_add(1)
    if self._how == 'raise':
      with tf.control_dependencies([tf.debugging.assert_less(calls, 100, message='the gradient fell off')]):
        return output
    loss = tf.where(calls < 100, output.metrics['loss'], np.nan)
    return output._replace(metrics={**output.metrics, 'loss': loss})


class BrokenBuilder(dqn.DQNBuilder):
  """DQN with an update that breaks."""

  def __init__(self, config, how):
    super().__init__(config)
    self._how = how

  def update(self, networks, spec):
    return _BrokenUpdate(super().update(networks, spec), self._how)


def experiment(how, seed=0):
  """DQN on catch with an update that breaks."""
  return tfacme.Experiment(
    builder=BrokenBuilder(dqn.DQNConfig(min_replay_size=200), how),
    networks=dqn.mlp_networks(hidden_sizes=(16,)),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=100_000),
    seed=seed,
  )
