"""Environments and an agent that break, for `test_faults.py`."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
import uuid

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


class _Exiting(_Counting):
  def spoil(self, timestep):
    sys.exit('the plant is closed')


class _Vanishing(_Counting):
  def spoil(self, timestep):
    os._exit(0)


def exiting(seed):
  """Ends its process at step 1,000, as a script does."""
  return _Exiting(seed)


def vanishing(seed):
  """Ends its process at step 1,000 as a C library may, without an exception and with exit code 0."""
  return _Vanishing(seed)


class _Closing(_Counting):
  """Leaves a file behind when it is closed."""

  def close(self):
    with open(os.path.join(os.environ['TFACME_TEST_CLOSED'], uuid.uuid4().hex), 'x', encoding='utf-8'):
      pass


class _RaisingAndClosing(_Closing, _Raising):
  pass


class _RaisingAndNeverClosing(_Raising):
  def close(self):
    if self.steps:  # not the one that only tells the spec
      time.sleep(1000)


class _Slow(catch.Catch):
  def step(self, action):
    time.sleep(0.02)
    return super().step(action)


def slow(seed):
  """Takes its time for each step."""
  return _Slow(seed=seed)


def raising_and_never_closing(seed):
  """Raises at step 1,000, and does not come back when it is closed."""
  return _RaisingAndNeverClosing(seed)


def closing(seed):
  """Leaves a file in the folder TFACME_TEST_CLOSED when it is closed."""
  return _Closing(seed)


def raising_and_closing(seed):
  """The same, and raises at step 1,000."""
  return _RaisingAndClosing(seed)


def raising(seed):
  """Raises at step 1,000."""
  return _Raising(seed)


class _Narrow(_Counting):
  def spoil(self, timestep):
    return timestep._replace(observation=timestep.observation[:1])


class _Worthless(_Counting):
  def spoil(self, timestep):
    return timestep._replace(reward=None)


class _NaNDiscount(_Counting):
  def spoil(self, timestep):
    return timestep._replace(discount=np.nan)


class _Elsewhere(_Counting):
  """Goes to another folder when it is made, and at each step."""

  def __init__(self, seed=None):
    super().__init__(seed)
    os.chdir('/')

  def step(self, action):
    os.chdir('/')
    return super().step(action)


def narrow_observation(seed):
  """Has an observation of one row, (1, 5), at step 1,000, which would fill all ten."""
  return _Narrow(seed)


def no_reward(seed):
  """Has a reward of None at step 1,000."""
  return _Worthless(seed)


def nan_discount(seed):
  """Has a NaN in the discount of step 1,000."""
  return _NaNDiscount(seed)


def elsewhere(seed):
  """Goes to another folder."""
  return _Elsewhere(seed)


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


@dataclasses.dataclass(frozen=True)
class BrokenBuilder(dqn.DQNBuilder):
  """DQN with an update that breaks."""

  how: str = 'raise'

  def update(self, networks, spec):
    return _BrokenUpdate(super().update(networks, spec), self.how)


def experiment(how, seed=0):
  """DQN on catch with an update that breaks."""
  return tfacme.Experiment(
    builder=BrokenBuilder(dqn.DQNConfig(min_replay_size=200), how=how),
    networks=dqn.mlp_networks(hidden_sizes=(16,)),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=100_000),
    seed=seed,
  )
