"""A run in one thread is a function of its seed, and one that was killed goes on from its last checkpoint."""

import os
import signal

import pytest
import tensorflow as tf

import tfacme
from tests.programs import processes
from tfacme import checkpoints, environments, launching, testing
from tfacme.agents import dqn
from tfacme.graph import nodes
from tfacme.workers import counting, plotting


def _experiment(steps=1500, seed=0, **options):
  return tfacme.Experiment(
    builder=dqn.DQNBuilder(dqn.DQNConfig(min_replay_size=200, batch_size=32)),
    networks=dqn.mlp_networks(hidden_sizes=(16,)),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=steps),
    evaluation=tfacme.Evaluation(every=500, episodes=3),
    seed=seed,
    **options,
  )


def test_two_runs_of_one_seed_are_the_same(tmp_path):
  layout = tfacme.Layout(actors=2, slots=2)
  for name, seed in (('a', 0), ('b', 0), ('c', 1)):
    tfacme.train(_experiment(seed=seed, layout=layout), workdir=str(tmp_path / name))
  a, b, c = (testing.logs(tmp_path / name) for name in 'abc')
  assert set(a) == {'actor-0', 'actor-1', 'learner', 'evaluator'}
  assert all(rows for rows in a.values())
  assert a == b
  assert a != c
  weights = [_weights(tmp_path / name) for name in 'abc']
  assert weights[0] == weights[1] != weights[2]


def _weights(run):
  path = os.path.join(checkpoints.latest(str(run / 'checkpoints')), 'learner', 'update')
  return {
    name: tf.train.load_variable(path, name).tolist() for name, _ in tf.train.list_variables(path) if 'VARIABLE' in name
  }


def test_what_is_restored_is_what_was_saved(tmp_path):
  run = tmp_path / 'run'
  tfacme.train(_experiment(), workdir=str(run))
  checkpoint = checkpoints.latest(str(run / 'checkpoints'))
  saved = checkpoints.manifest(checkpoint)['digests']
  assert set(saved) == {'replay', 'learner', 'counter'} and all(saved.values())
  program = tfacme.make_program(_experiment(), str(run), checkpoint)
  objects = nodes.make_all(program, lambda name, make: make())
  for name, digest in saved.items():
    (tmp_path / name).mkdir()
    assert objects[name].save(str(tmp_path / name)) == digest
  assert objects['replay'].usage()['replay'].size == 1497  # the last episode is not over: two items are not complete
  assert objects['learner'].steps > 0


@pytest.mark.slow
@pytest.mark.parametrize('engine', ['inline', pytest.param('local_mp', marks=pytest.mark.slow)])
def test_a_killed_run_goes_on(engine, tmp_path):
  arguments = f'train dqn --env bsuite:catch/0 --steps 8000 --checkpointing.every 1000 --launch {engine}'.split()
  arguments += ['--workdir', str(tmp_path)]
  command = processes.tfacme(*arguments)
  command.wait_for(tmp_path / 'logs' / 'actor-0.csv', 3000 // 9)
  command.wait_for_checkpoint(tmp_path)
  os.kill(command.process.pid, signal.SIGKILL)
  command.wait(10)
  checkpoint = checkpoints.latest(str(tmp_path / 'checkpoints'))
  kept = checkpoints.manifest(checkpoint)['steps']
  assert kept == counting.saved_total(os.path.join(checkpoint, 'counter'), 'actor_steps') >= 1000
  counts = counting.saved_counts(os.path.join(checkpoint, 'counter'))
  ended = processes.run(*arguments)
  assert (ended.code, ended.left) == (0, [])
  assert f'Resuming from step {kept:,}' in ended.out
  logs = testing.logs(tmp_path)
  steps = [int(row['actor_steps']) for row in logs['actor-0']]
  assert steps == sorted(steps) and len(set(steps)) == len(steps)
  learner = [int(row['learner_steps']) for row in logs['learner']]
  assert learner == sorted(set(learner))
  assert max(learner) > counts['learner']['learner_steps'] > 0
  assert logs['evaluator'][-1]['actor_steps'] == '8000'
  assert float(logs['evaluator'][-1]['episode_return']) >= 0.9


def test_a_run_that_is_complete_stays_as_it_is(tmp_path, capsys):
  tfacme.train(_experiment(steps=500), workdir=str(tmp_path))
  before = testing.logs(tmp_path)
  tfacme.train(_experiment(steps=500), workdir=str(tmp_path))
  assert testing.logs(tmp_path) == before
  assert 'Nothing is left to do' in capsys.readouterr().out


def test_what_fails_at_the_very_end_costs_no_learning(tmp_path, monkeypatch):
  """The checkpoint is there before the curve is drawn; the same command then does just that."""
  with monkeypatch.context() as patch:
    patch.setattr(plotting, 'learning_curve', lambda *args: 1 / 0)
    with pytest.raises(launching.NodeFailed):
      tfacme.train(_experiment(steps=500), workdir=str(tmp_path))
  before = testing.logs(tmp_path)
  run = tfacme.train(_experiment(steps=500), workdir=str(tmp_path))
  after = testing.logs(tmp_path)
  assert (after['learner'], after['actor-0']) == (before['learner'], before['actor-0'])
  assert run.evaluate(episodes=2).episodes == 2


def test_it_shows_how_it_goes_unless_told_not_to(tmp_path, capsys):
  seen = []
  tfacme.train(_experiment(steps=500), workdir=str(tmp_path / 'a'), on_status=seen.append)
  shown = capsys.readouterr().out
  assert '500 environment steps' in shown and seen[-1]['steps'] == 500
  tfacme.train(_experiment(steps=500), workdir=str(tmp_path / 'b'), progress=False, on_status=seen.append)
  assert capsys.readouterr().out == '' and len(seen) > 2


def test_a_larger_budget_continues_a_run(tmp_path):
  tfacme.train(_experiment(steps=500), workdir=str(tmp_path))
  tfacme.train(_experiment(steps=1000), workdir=str(tmp_path))
  assert testing.logs(tmp_path)['evaluator'][-1]['actor_steps'] == '1000'


_UNDER_SIGNALS = """
import os, signal, sys
import tfacme
from tests.programs import test_repeat

came = []
signal.signal(signal.SIGALRM, lambda *unused: came.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
tfacme.train(test_repeat._experiment(steps=2500), workdir=sys.argv[1], progress=False)
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(came), flush=True)
os._exit(0)
"""


@pytest.mark.slow
def test_signals_leave_a_run_as_it_is(tmp_path):
  # Once they did not: memory that was shared between TensorFlow and numpy was freed while it was in use.
  tfacme.train(_experiment(steps=2500), workdir=str(tmp_path / 'quiet'), progress=False)
  ended = processes.Command(['-c', _UNDER_SIGNALS, str(tmp_path / 'signals')]).wait(200)
  assert ended.code == 0, ended.err
  assert int(ended.out) > 500
  assert testing.logs(tmp_path / 'quiet') == testing.logs(tmp_path / 'signals')
