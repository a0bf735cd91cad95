"""Frames stacked by a run are those of the wrapper, bit for bit: what is learned is the same."""

import dataclasses
import functools
import os

import numpy as np
import pytest
import tensorflow as tf

import tfacme
from tfacme import checkpoints, datasets, environments, testing
from tfacme.agents import dqn, ppo, r2d2
from tfacme.environments import wrappers

STACK = 3


def _dqn():
  config = dqn.DQNConfig(min_replay_size=100, batch_size=16, n_step=3)
  return dict(builder=dqn.DQNBuilder(config), networks=dqn.mlp_networks(hidden_sizes=(16,)))


def _r2d2():
  config = r2d2.R2D2Config(
    burn_in=2, trace_length=5, sequence_period=3, min_replay_size=30, max_replay_size=60, batch_size=4
  )
  return dict(builder=r2d2.R2D2Builder(config), networks=r2d2.default_networks(hidden_sizes=(8,), lstm_size=8))


def _ppo():
  config = ppo.PPOConfig(unroll_length=16, epochs=2, minibatches=2)
  return dict(builder=ppo.PPOBuilder(config), networks=ppo.default_networks(hidden_sizes=(8,)))


def _experiment(agent, how, steps, **options):
  factory = environments.factory('bsuite:catch/0').wrapped(wrappers.ObservationActionReward)
  if how == 'wrapper':
    factory = factory.wrapped(functools.partial(wrappers.FrameStacking, num_frames=STACK))
  return tfacme.Experiment(
    environment=factory,
    stack=1 if how == 'wrapper' else STACK,
    budget=tfacme.Budget(actor_steps=steps),
    evaluation=tfacme.Evaluation(every=200, episodes=4),
    checkpointing=tfacme.Checkpointing(replay=False),
    seed=3,
    **agent(),
    **options,
  )


def _weights(run):
  path = os.path.join(checkpoints.latest(str(run / 'checkpoints')), 'learner', 'update')
  return {
    name: tf.train.load_variable(path, name).tolist() for name, _ in tf.train.list_variables(path) if 'VARIABLE' in name
  }


@pytest.mark.slow
@pytest.mark.parametrize('agent', [_dqn, _r2d2, _ppo])
def test_a_run_with_the_wrapper_and_one_that_stacks_learn_the_same(agent, tmp_path):
  runs = {}
  for how in ('wrapper', 'stack'):
    experiment = _experiment(agent, how, 300, layout=tfacme.Layout(slots=2))
    runs[how] = tfacme.train(experiment, workdir=str(tmp_path / how), progress=False)
  logs = [testing.logs(tmp_path / how) for how in runs]
  assert logs[0]['learner'] and logs[0] == logs[1]
  weights = [_weights(tmp_path / how) for how in runs]
  assert weights[0] and weights[0] == weights[1]
  # The exported policy of the one takes stacks, that of the other single frames.
  returns = [run.evaluate(episodes=5).returns.tolist() for run in runs.values()]
  assert returns[0] == returns[1]
  shape = runs['stack'].environment().reset().observation.observation.shape
  assert shape == (10, 5)


@pytest.mark.slow
def test_learning_from_recorded_single_frames_is_the_same(tmp_path):
  plain = dataclasses.replace(_experiment(_dqn, 'stack', 1), stack=1)
  tfacme.record(None, plain.environment(0), 30, str(tmp_path / 'data'))
  for how in ('wrapper', 'stack'):
    experiment = dataclasses.replace(
      _experiment(_dqn, how, 1),
      dataset=datasets.rlds(str(tmp_path / 'data')),
      budget=tfacme.Budget(learner_steps=60),
    )
    tfacme.train(experiment, workdir=str(tmp_path / how), progress=False)
  logs = [testing.logs(tmp_path / how) for how in ('wrapper', 'stack')]
  assert logs[0]['learner'] and logs[0] == logs[1]
  assert _weights(tmp_path / 'wrapper') == _weights(tmp_path / 'stack')


@pytest.mark.slow
def test_frames_are_stacked_in_other_engines_too(tmp_path):
  run = tfacme.train(
    _experiment(_dqn, 'stack', 600, layout=tfacme.Layout(actors=2)), str(tmp_path), launch='local_mt', progress=False
  )
  rows = testing.logs(tmp_path)['learner']
  assert rows and all(np.isfinite(float(row['loss'])) for row in rows)
  assert len(run.evaluate(episodes=3).returns) == 3


def test_another_number_of_frames_is_another_run(tmp_path):
  experiment = _experiment(_dqn, 'stack', 30)
  tfacme.train(experiment, str(tmp_path), progress=False)
  with pytest.raises(tfacme.errors.UserError, match='with stack 3 where this one has 1'):
    tfacme.train(dataclasses.replace(experiment, stack=1), str(tmp_path), progress=False)
