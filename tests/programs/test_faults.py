"""A run that breaks ends soon, says which node it was, and leaves no process."""

import os
import signal
import time

import numpy as np
import pytest
import tensorflow as tf

import tfacme
from tests.programs import broken, nan_learner, processes, raising_learner
from tfacme import checkpoints, cli
from tfacme.runs import status
from tfacme.workers import saved

# Inline is the quickest to start; the other engines are the slow tier's.
ENGINES = [
  'inline',
  pytest.param('local_mt', marks=pytest.mark.slow),
  pytest.param('local_mp', marks=pytest.mark.slow),
]
_APART = [ENGINES[0], ENGINES[2]]  # what one process does, and several
_AT_ONCE = ['--restarts', '0']  # A node that fails ends the run, in the place of being made anew.
_BREAKS = {
  'environment': (
    ['-m', 'tfacme', 'train', 'dqn', '--env', f'{broken.__name__}:raising', '--steps', '50000', *_AT_ONCE],
    'actor-0',
    'on fire',
  ),
  'an environment that exits': (
    ['-m', 'tfacme', 'train', 'dqn', '--env', f'{broken.__name__}:exiting', '--steps', '50000', *_AT_ONCE],
    'actor-0',
    'SystemExit: the plant is closed',
  ),
  'learner': (['-m', raising_learner.__name__], 'learner', 'the gradient fell off'),
  'NaN in the loss': (
    ['-m', nan_learner.__name__],
    'learner',
    'learner at learner step 100: loss is nan. Look at the rows',
  ),
  'NaN in an observation': (
    ['-m', 'tfacme', 'train', 'dqn', '--env', f'{broken.__name__}:nan_observation', '--steps', '50000', *_AT_ONCE],
    'actor-0',
    'actor-0 at its step 1000: slot 0: observation has nan, which the environment gave: look at',
  ),
  'NaN in a discount': (
    ['-m', 'tfacme', 'train', 'dqn', '--env', f'{broken.__name__}:nan_discount', '--steps', '50000', *_AT_ONCE],
    'actor-0',
    'actor-0 at its step 1000, slot 0: the discount is nan, which the environment gave: look at',
  ),
}


@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.parametrize('what', [what for what in _BREAKS if 'NaN' not in what])
def test_a_node_that_raises_ends_the_run(what, engine, tmp_path):
  _check_ends(what, engine, tmp_path)


@pytest.mark.parametrize('what', [what for what in _BREAKS if 'NaN' in what])
def test_a_number_that_is_none_ends_the_run(what, tmp_path):
  _check_ends(what, 'inline', tmp_path)  # On the other engines it is raised as all else is.


def _check_ends(what, engine, tmp_path):
  command, node, story = _BREAKS[what]
  ended = processes.Command([*command, '--launch', engine, '--workdir', str(tmp_path)]).wait(200)
  assert ended.code == 1
  assert ended.err.count(f'The node {node} failed:') == 1
  assert ended.err.count('Traceback (most recent call last)') == 1
  assert story in ended.err
  assert '(Pdb)' not in ended.out + ended.err
  assert not ended.left


@pytest.mark.parametrize(
  'environment, says, engine',
  [
    ('no_reward', 'reward_spec: the reward is None, and the spec says a number', 'inline'),
    *(
      pytest.param(
        'narrow_observation',
        'observation_spec: the observation has the shape (1, 5), and the spec says (10, 5)',
        engine,
        marks=[] if engine == 'inline' else [pytest.mark.slow],
      )
      for engine in ('inline', 'local_mt', 'local_mp')
    ),
  ],
)
def test_an_environment_that_does_not_keep_to_its_specs_is_one_line(environment, says, engine, tmp_path):
  arguments = ['--env', f'{broken.__name__}:{environment}', '--launch', engine, '--workdir', str(tmp_path)]
  ended = processes.tfacme('train', 'dqn', *arguments, '--steps', '50000').wait(100)
  where = 'actor-0 at its step 1000, slot 0: the environment violates its own'
  assert ended.err == f'tfacme: {where} {says}; fix one or the other.\n'
  assert (ended.code, ended.left) == (2, [])


@pytest.mark.slow
@pytest.mark.parametrize('engine', _APART)
def test_an_environment_that_goes_to_another_folder_takes_no_path_with_it(engine, tmp_path):
  train = ['train', 'dqn', '--env', f'{broken.__name__}:elsewhere', '--steps', '1200', '--launch', engine]
  ended = processes.tfacme(*train, '--workdir', 'run', '--evaluation.episodes', '2', cwd=tmp_path).wait(200)
  assert (ended.code, ended.err, ended.left) == (0, '', [])
  assert 'logs, checkpoints and policy are in run\n' in ended.out
  assert {'logs', 'checkpoints', 'policy', 'experiment.json', 'learning_curve.png'} <= set(os.listdir(tmp_path / 'run'))
  if engine == 'inline':
    for command, made in (
      (['evaluate', 'run'], 'run'),
      (['record', '--run', 'run', '--out', 'data', '--episodes', '2'], 'data'),
      (['watch', 'run', '--out', 'episode.gif'], 'episode.gif'),
    ):
      ended = processes.tfacme(*command, cwd=tmp_path).wait(100)
      assert (ended.code, ended.err) == (0, '') and (tmp_path / made).exists()


def test_a_run_that_learned_nothing_says_so(tmp_path):
  ended = processes.run(*'train dqn --env bsuite:catch/0 --steps 50 --workdir'.split(), str(tmp_path))
  assert ended.code == 0
  assert 'after 50 environment steps; nothing was learned, since the replay never held' in ended.out
  assert 'so there is no learner.csv' in ended.out.splitlines()[-1]
  assert sorted(name for name in os.listdir(tmp_path / 'logs') if name.endswith('.csv')) == [
    'actor-0.csv',
    'evaluator.csv',
  ]


@pytest.mark.parametrize('node', ['actor-1', 'replay'])
@pytest.mark.slow
def test_a_node_process_that_is_killed_ends_the_run(node, tmp_path):
  command = _train(tmp_path, 'local_mp', '--actors', '2', '--replay', 'reverb', *_AT_ONCE)
  command.wait_for(tmp_path / 'logs' / 'learner.csv', 2)
  os.kill(command.named(node), signal.SIGKILL)
  ended = command.wait(10)
  assert ended.code == 1
  assert ended.err.strip() == f'tfacme: The node {node} failed:\nIt was killed by SIGKILL.'
  assert not ended.left


@pytest.mark.slow
def test_slow_environments_in_processes_make_exactly_the_steps(tmp_path):
  arguments = ['--env', f'{broken.__name__}:slow', '--launch', 'local_mp', '--actors', '2', '--workdir', str(tmp_path)]
  begun = time.monotonic()
  ended = processes.tfacme('train', 'dqn', *arguments, '--steps', '400', '--evaluation.every', '0').wait(100)
  assert (ended.code, ended.left) == (0, [])
  assert '400 environment steps' in ended.out
  assert time.monotonic() - begun > 400 * 0.02 / 2


@pytest.mark.slow
def test_a_node_process_that_ends_by_itself_ends_the_run(tmp_path):
  arguments = ['--env', f'{broken.__name__}:vanishing', '--launch', 'local_mp', '--workdir', str(tmp_path)]
  ended = processes.tfacme('train', 'dqn', *arguments, '--steps', '50000', *_AT_ONCE).wait(100)
  assert ended.code == 1
  assert ended.err.strip() == ('tfacme: The node actor-0 failed:\nIt ended with exit code 0 before its work was done.')
  assert not ended.left


@pytest.mark.parametrize('engine', _APART)
@pytest.mark.parametrize('environment', ['closing', 'raising_and_closing', 'raising_and_never_closing'])
def test_environments_are_closed_however_a_run_ends(environment, engine, tmp_path, monkeypatch):
  closed = tmp_path / 'closed'
  closed.mkdir()
  monkeypatch.setenv('TFACME_TEST_CLOSED', str(closed))
  run = tmp_path / 'run'
  arguments = ['--env', f'{broken.__name__}:{environment}', '--launch', engine, '--workdir', str(run)]
  arguments += ['--checkpointing.every', '0', '--evaluation.every', '0', '--evaluation.episodes', '1', *_AT_ONCE]
  command = processes.tfacme('train', 'dqn', *arguments, '--steps', '10000000')
  if environment == 'closing':
    command.wait_for(run / 'logs' / 'learner.csv', 2)
    command.process.terminate()
  ended = command.wait(100)
  assert ended.code == (143 if environment == 'closing' else 1)
  if environment != 'raising_and_never_closing':  # The one that tells the spec, the actor's and the evaluator's.
    assert len(os.listdir(closed)) == 3


@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.parametrize('signum, code', [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_stops(signum, code, engine, tmp_path):
  command = _train(tmp_path, engine)
  command.wait_for(tmp_path / 'logs' / 'learner.csv', 2)
  if signum == signal.SIGINT:  # A terminal sends it to all processes.
    os.killpg(command.process.pid, signum)
  else:
    command.process.send_signal(signum)
  ended = command.wait(10)
  assert ended.code == code
  assert 'Traceback' not in ended.err
  assert not ended.left
  run = tfacme.load_run(str(tmp_path))
  assert run.checkpoints() and run.checkpoints()[-1] > 0
  _check_policy(tmp_path)
  if signum == signal.SIGINT:
    for arguments in (
      ['evaluate'],
      ['watch', '--out', str(tmp_path / 'episode.gif')],
      ['export', '--out', str(tmp_path / 'out')],
    ):
      assert cli.main([arguments[0], str(tmp_path), *arguments[1:]]) == 0
    assert (tmp_path / 'episode.gif').exists() and (tmp_path / 'out' / 'saved_model.pb').exists()


def _check_policy(run):
  """That the policy is the checkpoint's, to the bit; while that is saved, a learner of its own thread learns on."""
  path = checkpoints.latest(str(run / 'checkpoints'))
  exported = tf.train.load_checkpoint(str(run / 'policy' / 'variables' / 'variables'))
  values = {exported.get_tensor(name).tobytes() for name in exported.get_variable_to_shape_map() if 'VARIABLE' in name}
  learned = saved.Saved(os.path.join(path, 'learner')).values('policy')
  assert len(learned) > 1 and all(value.tobytes() in values for value in learned.values())
  assert np.int64(checkpoints.manifest(path)['steps']).tobytes() in values


@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.parametrize('seconds', [0.7, 1.5, pytest.param(3.0, marks=pytest.mark.slow)])
def test_ctrl_c_while_it_starts_ends_it(seconds, engine, tmp_path):
  command = _train(tmp_path, engine)
  time.sleep(seconds)
  os.killpg(command.process.pid, signal.SIGINT)
  ended = command.wait(10)
  assert ended.code == 130
  assert 'Traceback' not in ended.err
  assert not ended.left


@pytest.mark.slow
def test_ctrl_c_before_the_first_step_promises_no_checkpoint_that_is_not_there(tmp_path):
  command = _train(tmp_path, 'local_mp', '--checkpointing.stop-seconds', '0.2')
  command.wait_until(lambda: command.runs('saver'), 'its nodes have not begun')
  os.killpg(command.process.pid, signal.SIGINT)
  ended = command.wait(20)
  written = any(tmp_path.glob('checkpoints/*[0-9]'))
  says = (
    'a checkpoint is written, and' if written else 'no checkpoint is written yet, and the same command begins again'
  )
  assert (ended.code, ended.left) == (130, []) and says in ended.err


@pytest.mark.slow
@pytest.mark.parametrize('place, holder, waits', [('reverb', 'replay', 2), ('beside-learner', 'learner', 1)])
def test_a_replay_that_stands_still_is_who_is_waited_for(place, holder, waits, tmp_path):
  options = '--env bsuite:catch/0 --launch local_mp --steps 12000 --evaluation.every 0 --workdir'.split()
  command = processes.tfacme('train', 'dqn', *options, str(tmp_path), '--replay', place)
  command.wait_for(tmp_path / 'logs' / 'learner.csv', 2)
  replay = command.named(holder)
  os.kill(replay, signal.SIGSTOP)

  def named():
    told = status.read(str(tmp_path))
    notes = told.status['notes'] if told else {}
    silent = ['does not answer' in str(notes.get(node, {}).get('blocked')) for node in ('actor-0', 'learner')]
    return all(silent[:waits])

  command.wait_until(named, 'nobody says that the replay does not answer')
  os.kill(replay, signal.SIGCONT)
  command.wait_until(lambda: not named(), 'it is said to be silent although it goes on')
  ended = command.wait(120)
  assert (ended.code, ended.left) == (0, []), ended.err


@pytest.mark.slow
def test_a_launcher_that_is_killed_leaves_no_process(tmp_path):
  command = _train(tmp_path, 'local_mp')
  command.wait_for(tmp_path / 'logs' / 'actor-0.csv', 2)
  command.process.kill()
  deadline = time.monotonic() + 10
  while command.pids() and time.monotonic() < deadline:
    time.sleep(0.2)
  left = command.pids()
  command.end()
  assert not left


def _train(workdir, engine, *more):
  arguments = ['--env', 'bsuite:catch/0', '--steps', '10000000', '--launch', engine, '--workdir', str(workdir)]
  return processes.tfacme('train', 'dqn', *arguments, '--checkpointing.every', '0', *more)
