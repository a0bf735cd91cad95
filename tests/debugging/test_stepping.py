"""A run that is stepped through: it stops at breakpoints, sees values, and learns the same."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tfacme
from tests.programs import test_agents
from tfacme import checkpoints, cli, core, environments, errors, launching, testing
from tfacme.agents import dqn
from tfacme.debugging import stepping
from tfacme.tensors import compiling

ROOT = pathlib.Path(__file__).parents[2]

_PAGE = """
import dataclasses

import tensorflow as tf

import tfacme
from tfacme import cli, core, environments
from tfacme.agents import dqn


class Looking(tf.Module):
  def __init__(self, update):
    super().__init__()
    self._update, self.published, self._looked = update, update.published, False

  def __call__(self, batch):
    if not self._looked:
      self._looked = True
      breakpoint()
    return self._update(batch)


@dataclasses.dataclass(frozen=True)
class LookingBuilder(core.BuilderWrapper):
  def update(self, networks, spec):
    return Looking(self.agent.update(networks, spec))


def experiment(seed=0):
  return tfacme.Experiment(
    builder=LookingBuilder(dqn.DQNBuilder(dqn.DQNConfig(batch_size=8, min_replay_size=50, samples_per_insert=2.0))),
    environment=environments.factory('bsuite:catch/0'),
    networks=dqn.mlp_networks((8,)),
    budget=tfacme.Budget(actor_steps=100),
    evaluation=tfacme.Evaluation(every=0, episodes=1),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
"""


def _ended(folder, given):
  """How a run ends that is told this at its breakpoint."""
  (folder / 'looking.py').write_text(_PAGE)
  command = [sys.executable, 'looking.py', '--debug', '--workdir', 'run']
  environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
  return subprocess.run(
    command, cwd=folder, env=environment, input=given, capture_output=True, text=True, timeout=200, check=False
  )


@pytest.mark.slow
def test_a_breakpoint_in_an_update_stops_the_run_and_lets_it_go_on(tmp_path):
  ended = _ended(
    tmp_path, "p 'shape', tuple(batch.steps.reward.shape)\np 'sum', float(tf.reduce_sum(batch.mask)) > 0\nc\n"
  )
  assert ended.returncode == 0, ended.stdout + ended.stderr
  assert 'return self._update(batch)' in ended.stdout  # where it stands
  assert "('shape', (8, 4))" in ended.stdout and "('sum', True)" in ended.stdout
  assert 'Evaluation return' in ended.stdout.splitlines()[-1]
  assert ended.stderr == ''
  assert checkpoints.manifest(checkpoints.latest(str(tmp_path / 'run' / 'checkpoints')))['complete']


def test_quitting_the_debugger_ends_the_run(tmp_path):
  ended = _ended(tmp_path, 'q\n')
  assert ended.returncode == 130
  assert ended.stderr == 'tfacme: stopped at once; a run resumes from its last checkpoint, if it has one\n'


def _experiment(steps=150, builder=None):
  config = dqn.DQNConfig(min_replay_size=50, batch_size=16, samples_per_insert=4.0)
  return tfacme.Experiment(
    builder=builder or dqn.DQNBuilder(config),
    networks=dqn.mlp_networks(hidden_sizes=(16,)),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=steps),
    evaluation=tfacme.Evaluation(every=0, episodes=2),
  )


def _variables(run):
  """Of the learner, by name."""
  path = os.path.join(checkpoints.latest(os.path.join(run, 'checkpoints')), 'learner', 'update')
  reader = tf.train.load_checkpoint(path)
  return {name: reader.get_tensor(name) for name, _ in tf.train.list_variables(path) if 'VARIABLE' in name}


def _expect_same_variables(*runs):
  compiled, stepped = map(_variables, runs)
  assert compiled.keys() == stepped.keys() and len(compiled) > 4
  for name, value in compiled.items():
    np.testing.assert_allclose(value, stepped[name], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_it_learns_the_same(tmp_path):
  runs = [str(tmp_path / name) for name in ('compiled', 'stepped')]
  for run, debug in zip(runs, (False, True)):
    tfacme.train(_experiment(), run, progress=False, debug=debug)
  _expect_same_variables(*runs)
  logs = [testing.logs(run) for run in runs]
  assert logs[0]['actor-0'] == logs[1]['actor-0'] and len(logs[0]['learner']) == len(logs[1]['learner'])


@pytest.mark.slow
@pytest.mark.parametrize('agent', ['cql', 'impala', 'r2d2'])
def test_an_agent_learns_the_same(agent, tmp_path):
  experiment = test_agents._experiment(agent, tmp_path)
  experiment = dataclasses.replace(
    experiment,
    budget=tfacme.Budget(**{experiment.budget.unit: 150}),
    checkpointing=tfacme.Checkpointing(every=0),
    evaluation=tfacme.Evaluation(every=0, episodes=1),
    logging=tfacme.Logging(learner_every=1),
  )
  logs = []
  for debug in (False, True):
    run = str(tmp_path / f'debug {debug}')
    tfacme.train(experiment, run, progress=False, debug=debug)
    logs.append(testing.logs(run)['learner'])
  assert len(logs[0]) == len(logs[1]) > 0
  for compiled, stepped in zip(*logs):
    for name, value in compiled.items():
      np.testing.assert_allclose(float(stepped[name]), float(value), rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.slow
def test_a_run_goes_on_with_and_without_it(tmp_path):
  """And what its first step makes goes on where it was: that of an optimizer."""
  runs = [str(tmp_path / name) for name in ('compiled', 'stepped')]
  tfacme.train(_experiment(150), runs[0], progress=False)
  shutil.copytree(*runs)
  for run, debug in zip(runs, (False, True)):
    tfacme.train(_experiment(200), run, progress=False, debug=debug)
  _expect_same_variables(*runs)
  tfacme.train(_experiment(250), runs[1], progress=False)
  assert checkpoints.manifest(checkpoints.latest(os.path.join(runs[1], 'checkpoints')))['steps'] == 250


class _Asking(tf.Module):
  """An update that looks at a value in Python, as one does to find out when it goes wrong."""

  def __init__(self, update, seen):
    super().__init__()
    self._update, self.published, self._seen = update, update.published, seen

  def __call__(self, batch):
    output = self._update(batch)
    if output.metrics['loss'] > -1.0:  # No graph could.
      self._seen.append(float(output.metrics['loss']))
    return output


def test_python_sees_values_also_in_a_run_that_is_resumed(tmp_path):
  seen = []

  @dataclasses.dataclass(frozen=True)
  class Builder(core.BuilderWrapper):
    def update(self, networks, spec):
      return _Asking(self.agent.update(networks, spec), seen)

  for steps in (80, 100):
    experiment = _experiment(steps, Builder(_experiment().builder))
    run = tfacme.train(experiment, str(tmp_path), progress=False, debug=True)
    log = testing.logs(run.workdir)
    losses = [float(row['loss']) for row in log['learner']]
    np.testing.assert_allclose(seen[: len(losses)], losses, rtol=1e-6)
    assert len(seen) == int(log['evaluator'][-1]['learner_steps']) > 0  # Each step was seen once, and nothing else.


def test_breakpoints_are_passed_over_where_nothing_has_a_value(monkeypatch):
  stops = []
  monkeypatch.setattr(sys, 'breakpointhook', lambda: stops.append(tf.executing_eagerly()))

  def function(x):
    breakpoint()
    return 2 * x

  hook = sys.breakpointhook
  with stepping.stepping(seed=1):
    compiled = compiling.Compiled(function, [tf.TensorSpec([2])])
    assert compiled.outputs == tf.TensorSpec([2]) and stops == []
    assert compiled(np.float32([1, 2])).numpy().tolist() == [2, 4] and stops == [True]
    with pytest.raises(ValueError):
      compiling.attempt(
        lambda: tf.function(lambda: (breakpoint(), tf.reshape(tf.ones([3]), [2]))).get_concrete_function()
      )
    assert stops == [True, False]  # The shapes say why it fails.
  assert sys.breakpointhook is hook
  compiling.Compiled(function, [tf.TensorSpec([2])])
  assert stops == [True, False, False]  # The hook of others is theirs again.


def test_what_it_sets_is_as_it_was():
  tf.random.set_seed(5)
  before = tf.random.uniform([4]).numpy().tolist()
  tf.random.set_seed(5)
  with stepping.stepping(seed=3):
    assert tf.config.functions_run_eagerly()
    first = tf.random.uniform([4]).numpy().tolist()
  with stepping.stepping(seed=3):
    assert tf.random.uniform([4]).numpy().tolist() == first
  assert not tf.config.functions_run_eagerly() and not compiling.Compiled(lambda: 1, []).flat([])[0] != 1
  assert tf.random.uniform([4]).numpy().tolist() == before


def test_it_is_for_one_thread(tmp_path, capsys):
  says = '--debug steps through a run in one thread, and --launch local_mp has several; leave --launch out (inline).'
  with pytest.raises(errors.UserError) as caught:
    tfacme.train(_experiment(), str(tmp_path / 'run'), 'local_mp', debug=True)
  assert str(caught.value) == says
  assert cli.main('train dqn --env bsuite:catch/0 --debug --launch local_mp'.split()) == 2
  assert says in capsys.readouterr().err
  launching.check_goes_with('local_mp', debug=False, profile=True)
  with pytest.raises(tfacme.UserError, match='--profile does not go with --launch ray yet'):
    launching.check_goes_with('ray', debug=False, profile=True)
