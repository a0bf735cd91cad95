"""Every agent that samples from replay learns from recorded data alone: by `--learner-steps`."""

import os
import signal

import pytest
import tensorflow as tf

import tfacme
from tests.programs import processes
from tfacme import checkpoints, cli, environments, testing
from tfacme.loggers import csv_logger
from tfacme.testing import environments as tasks
from tfacme.workers import counting

_REACH = f'{tasks.__name__}:{tasks.Reach.__name__}'
_TASKS = {'dqn': 'bsuite:catch/0', 'sac': _REACH, 'r2d2': 'bsuite:memory_len/3'}
_FEW = '--config.batch_size 16 --evaluation.every 1000 --evaluation.episodes 2 --logging.learner_every 10'


@pytest.fixture(scope='module')
def command(tmp_path_factory):
  """A function from an agent to the command that trains it on random episodes."""
  folder = tmp_path_factory.mktemp('data')

  def make(agent, steps):
    data = str(folder / agent)
    if not os.path.exists(data):
      tfacme.record(None, environments.make(_TASKS[agent]), 30, data)
    return f'train {agent} --env {_TASKS[agent]} --dataset {data} --learner-steps {steps} {_FEW}'.split()

  return make


@pytest.mark.slow
def test_what_goes_on_learns_as_if_it_had_never_stopped(command, tmp_path):
  whole, halves = str(tmp_path / 'whole'), str(tmp_path / 'halves')
  assert cli.main([*command('dqn', 60), '--workdir', whole]) == 0
  for steps in (30, 60):
    assert cli.main([*command('dqn', steps), '--workdir', halves]) == 0
  _check_same(tmp_path / 'whole', tmp_path / 'halves')
  assert not os.path.exists(os.path.join(whole, 'logs', 'actor-0.csv'))
  assert tfacme.load_run(whole).evaluate(episodes=2).episodes == 2


@pytest.mark.slow
@pytest.mark.parametrize('agent, engine', [('dqn', 'local_mp'), ('sac', 'inline'), ('r2d2', 'inline')])
def test_a_killed_run_learns_on_as_if_it_had_never_stopped(agent, engine, command, whole, tmp_path):
  arguments = [*_checkpointed(command, agent), '--launch', engine, '--workdir', str(tmp_path / 'killed')]
  killed = processes.tfacme(*arguments)
  killed.wait_for_checkpoint(tmp_path / 'killed')
  os.kill(killed.process.pid, signal.SIGKILL)
  killed.wait(10)
  ended = processes.run(*arguments)
  assert (ended.code, ended.err, ended.left) == (0, '', [])
  assert 'Resuming from step' in ended.out
  _check_same(whole(agent), tmp_path / 'killed')


@pytest.fixture(scope='module')
def whole(command, tmp_path_factory):
  """A function from the name of an agent to the folder of its run that was not stopped, in one thread."""
  folder = tmp_path_factory.mktemp('whole')

  def run(agent):
    if not (folder / agent).exists():
      assert cli.main([*_checkpointed(command, agent), '--workdir', str(folder / agent)]) == 0
    return folder / agent

  return run


def _checkpointed(command, agent):
  steps = {'dqn': 1500, 'sac': 500, 'r2d2': 150}[agent]
  return [*command(agent, steps), '--checkpointing.every', str(steps // 5)]


def _check_same(one, other):
  """The same batches gave the same losses and weights."""
  assert testing.logs(one)['learner'] == testing.logs(other)['learner']
  assert len(testing.logs(one)['learner']) > 5
  assert _weights(one) == _weights(other)


def _weights(run):
  path = os.path.join(checkpoints.latest(str(run / 'checkpoints')), 'learner', 'update')
  return {
    name: tf.train.load_variable(path, name).tobytes()
    for name, _ in tf.train.list_variables(path)
    if 'VARIABLE' in name
  }


def test_a_data_set_that_nothing_would_read_is_refused(command, capsys):
  arguments = [argument.replace('--learner-steps', '--steps') for argument in command('dqn', 30)]
  assert cli.main(arguments) == 2
  assert 'reads nothing but replay in a run with actors' in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize('engine', ['inline', pytest.param('local_mp', marks=pytest.mark.slow)])
def test_data_beside_actors_in_batches_and_in_the_replay(engine, command, tmp_path):
  """The learner learns as often as it would without; what is written before is written once."""
  arguments = [argument.replace('--learner-steps', '--steps') for argument in command('dqn', 200)]
  data = arguments[arguments.index('--dataset') + 1]
  arguments += f'--dataset-share 0.5 --prefill {data} --config.min_replay_size 100 --workdir {tmp_path}'.split()
  for steps in (200, 250):
    assert cli.main([*arguments, '--steps', str(steps), '--launch', engine]) == 0
    last = csv_logger.read(str(tmp_path / 'logs' / 'evaluator.csv'))[-1]
    assert abs(float(last['learner_steps']) - steps) <= 15  # 16 samples of each item, in batches of 16
    assert _counts(tmp_path)['prefill'] == {'prefill_episodes': 30, 'prefill_items_replay': 270, 'prefill_done': 1}
  sizes = [float(row['replay_size']) for row in csv_logger.read(str(tmp_path / 'logs' / 'learner.csv'))]
  assert 270 <= sizes[0] and sizes[-1] <= 520


def test_an_agent_that_is_mostly_offline_goes_on_with_actors(tmp_path, capsys):
  """What is refused here is the run that it is to go on from, and not that it has actors."""
  command = f'train td3_bc --env {_REACH} --steps 30 --start {tmp_path}/none --workdir {tmp_path}/run'
  assert cli.main(command.split()) == 2
  assert 'There is no checkpoint of a run in' in capsys.readouterr().err
  assert cli.main(f'train td3_bc --env {_REACH} --steps 30 --workdir {tmp_path}/run'.split()) == 2
  assert 'td3_bc learns from recorded data: give it some' in capsys.readouterr().err
  assert cli.main(f'train td3_bc --env {_REACH} --dataset {tmp_path} --steps 30'.split()) == 2
  assert 'td3_bc learns from recorded data: say how long to learn (--learner-steps' in capsys.readouterr().err


@pytest.mark.parametrize('agent', ['ppo', 'impala'])
def test_an_agent_that_needs_the_policy_that_acted_is_refused(agent, command, capsys):
  arguments = [agent if argument == 'dqn' else argument for argument in command('dqn', 30)]
  assert cli.main(arguments) == 2
  assert 'The data set has no extras [' in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize('engine', ['inline', 'local_mp'])
def test_a_killed_run_is_not_prefilled_again(engine, tmp_path):
  """All of its replay is there again, and what was written before the actors began is counted once."""
  command = ['-m', 'tests.programs.prefilled_run', str(tmp_path), engine, '5000']
  killed = processes.Command(command, cwd=processes.HERE.parents[1])
  killed.wait_for_checkpoint(tmp_path)
  os.kill(killed.process.pid, signal.SIGKILL)
  killed.wait(10)
  before = _counts(tmp_path)
  assert 0 < before['actor-0']['actor_steps'] < 5000
  ended = processes.Command(command, cwd=processes.HERE.parents[1]).wait(240)
  assert (ended.code, ended.left) == (0, []), ended.err
  assert 'Resuming from step' in ended.out
  after = _counts(tmp_path)
  items = {'prefill_items_replay': 200, 'prefill_items_demonstrations': 200}
  assert after['prefill'] == before['prefill'] == {'prefill_episodes': 40, **items, 'prefill_done': 1}
  assert after['random'] == before['random'] == {'prefill_episodes': 20, 'prefill_items_replay': 100, 'prefill_done': 1}
  last = csv_logger.read(str(tmp_path / 'logs' / 'learner.csv'))[-1]
  assert float(last['demonstrations_size']) == 200


def _counts(run):
  return counting.saved_counts(os.path.join(checkpoints.latest(str(run / 'checkpoints')), 'counter'))
