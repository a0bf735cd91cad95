"""An illegal action is never taken and never bootstrapped from."""

import dataclasses

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

import tfacme
from tests.contract import masked
from tfacme import loggers, networks
from tfacme.agents import dqn


class Tempting(snt.Module):
  """Values of the legal kind of size, but for a huge one of the actions that are illegal in this observation."""

  def __init__(self):
    super().__init__()
    self._q = snt.Linear(masked.ACTIONS)

  def __call__(self, observation):
    illegal = 1.0 - tf.cast(observation['action_mask'], tf.float32)
    return self._q(observation['place']) + 1e6 * illegal


def _tempting(spec):
  q = Tempting()
  networks.create_variables(q, spec.observations)
  return dqn.DQNNetworks(q)


@pytest.mark.slow
def test_ten_thousand_exploring_steps_and_all_targets_touch_none(tmp_path):
  before = masked.Masked.taken
  experiment = masked.experiment(steps=10_000, epsilon=0.5, samples_per_insert=4.0)
  experiment = dataclasses.replace(
    experiment, networks=_tempting, evaluation=tfacme.Evaluation(every=0, episodes=20), seed=1
  )
  tfacme.train(experiment, str(tmp_path), progress=False)  # The environment raises where an action is illegal.
  assert masked.Masked.taken - before >= 10_000
  rows = loggers.read(str(tmp_path / 'logs' / 'learner.csv'))
  assert max(abs(float(row['td_error'])) for row in rows) < 10 and max(float(row['q']) for row in rows) < 10


def test_exploration_takes_each_legal_action_alike():
  q = tf.tile([[0.0, networks.ILLEGAL, 1.0, networks.ILLEGAL]], [4_000, 1])
  actions = networks.epsilon_greedy(q, 1.0, tf.constant([1, 2]))
  np.testing.assert_allclose(np.bincount(actions, minlength=4) / 4_000, [0.5, 0.0, 0.5, 0.0], atol=0.03)
