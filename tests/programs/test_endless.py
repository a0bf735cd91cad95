"""Episodes without end: a run comes to its end with its policy, and says which episodes were cut off."""

import json
import os
import signal

import pytest

from tests.programs import endless, processes
from tfacme import datasets, loggers

ENGINES = [
  'inline',
  pytest.param('local_mt', marks=pytest.mark.slow),
  pytest.param('local_mp', marks=pytest.mark.slow),
]
_TRAIN = ['train', 'dqn', '--env', f'{endless.__name__}:forever', '--evaluation.episodes', '3']
_TRAIN += ['--config.min-replay-size', '64']


@pytest.mark.slow
@pytest.mark.parametrize('engine', ENGINES)
def test_a_run_comes_to_its_end(engine, tmp_path):
  run = str(tmp_path / 'run')
  arguments = ['--steps', '200', '--launch', engine, '--workdir', run, '--evaluation.max-episode-steps', '40']
  ended = processes.run(*_TRAIN, *arguments, '--evaluation.every', '100')
  assert (ended.code, ended.err, ended.left) == (0, '', [])
  assert 'evaluator after 200 steps: 3 of 3 episodes were cut off at 40 steps (max_episode_steps)' in ended.out
  assert 'return 40 ± 0 (standard error; 3 episodes cut off) after 200 environment steps' in ended.out
  last = loggers.read(os.path.join(run, 'logs', 'evaluator.csv'))[-1]
  assert (last['episodes_cut'], last['episode_length'], last['episode_return']) == ('3', '40.0', '40.0')
  assert os.path.exists(os.path.join(run, 'policy', 'saved_model.pb'))
  if engine == 'inline':
    _check_the_other_commands(run, str(tmp_path))


def _check_the_other_commands(run, folder):
  limit = ['--max-episode-steps', '30']
  evaluated = processes.run('evaluate', run, '--episodes', '2', '--json', *limit)
  assert json.loads(evaluated.out)['episodes_cut'] == 2
  assert '2 of 2 episodes were cut off at 30 steps' in evaluated.err
  evaluated = processes.run('evaluate', run, '--episodes', '2', *limit)
  assert 'return 30 ± 0 (mean and standard error of 2 episodes, 2 cut off)' in evaluated.out
  out = os.path.join(folder, 'data')
  recorded = processes.run('record', '--run', run, '--episodes', '2', '--out', out, *limit)
  assert '2 episodes with a mean return of 30' in recorded.out
  assert '2 of 2 episodes were cut off at 30 steps' in recorded.err
  for episode in datasets.rlds(out).episodes(seed=0):
    assert episode.last.tolist() == [False] * 30 + [True] and episode.discount[:30].tolist() == [1.0] * 30
  watched = processes.run('watch', run, '--out', os.path.join(folder, 'episode.gif'), *limit)
  assert 'An episode with return 30:' in watched.out
  assert 'The episode was cut off at 30 steps' in watched.err


@pytest.mark.parametrize('engine', ENGINES)
def test_ctrl_c_ends_an_evaluation(engine, tmp_path, monkeypatch):
  told = tmp_path / 'told'
  monkeypatch.setenv('TFACME_TEST_ENDLESS', str(told))
  arguments = ['--launch', engine, '--workdir', str(tmp_path / 'run'), '--evaluation.max-episode-steps', '1000000000']
  command = processes.tfacme(*_TRAIN, *arguments, '--steps', '50')
  command.wait_for(told, 1)
  os.killpg(command.process.pid, signal.SIGINT)
  ended = command.wait(10)
  assert ended.code == 130
  assert 'Traceback' not in ended.err
  assert not ended.left
