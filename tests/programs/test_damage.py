"""Runs whose checkpoints were damaged, or met a disk that takes no more."""

import os
import re
import shutil

import pytest

import tfacme
from tests.programs import processes
from tfacme import checkpoints, environments, errors
from tfacme.agents import dqn
from tfacme.loggers import csv_logger

_FILES = [
  'counter/counter.json',
  'learner/learner.json',
  'learner/update.data-00000-of-00001',
  'learner/update.index',
  'manifest.json',
  'replay/replay.npz',
]
_DAMAGES = [(name, how) for name in _FILES for how in ('missing', 'empty', 'cut')]
_FOLDERS = [(name, 'missing') for name in ('counter', 'learner', 'replay')]


def _experiment(steps, place=None):
  return tfacme.Experiment(
    builder=dqn.DQNBuilder(dqn.DQNConfig(min_replay_size=100, batch_size=32)),
    networks=dqn.mlp_networks(hidden_sizes=(16,)),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=steps),
    evaluation=tfacme.Evaluation(every=0, episodes=1),
    checkpointing=tfacme.Checkpointing(every=100),
    loggers=(),
    layout=tfacme.Layout(replay=place),
  )


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """The folder of a run with checkpoints at 200 and 300 steps."""
  path = tmp_path_factory.mktemp('trained')
  tfacme.train(_experiment(300), str(path), progress=False)
  newest = path / 'checkpoints' / '000000000300'
  found = [os.path.relpath(os.path.join(place, name), newest) for place, _, names in os.walk(newest) for name in names]
  assert sorted(found) == _FILES
  return path


@pytest.fixture
def run(trained, tmp_path):
  """A copy of it that may be damaged."""
  return shutil.copytree(trained, tmp_path / 'run')


def _damage(path, how):
  if how == 'missing':
    shutil.rmtree(path) if path.is_dir() else path.unlink()
  else:
    os.truncate(path, 0 if how == 'empty' else path.stat().st_size - 7)


def _steps(run, log='actor-0'):
  return [int(row['actor_steps']) for row in csv_logger.read(str(run / 'logs' / f'{log}.csv'))]


@pytest.mark.parametrize(
  'name, how',
  [pytest.param(name, how, marks=[pytest.mark.slow] if how == 'empty' else []) for name, how in [*_DAMAGES, *_FOLDERS]],
)
def test_a_run_goes_on_from_the_checkpoint_before(run, name, how, capsys, caplog):
  _damage(run / 'checkpoints' / '000000000300' / name, how)
  tfacme.train(_experiment(301), str(run))
  (said,) = [record.getMessage() for record in caplog.records]
  assert 'Going back to the checkpoint' in said and f'000000000300 is damaged ({name}' in said
  assert 'Resuming from step 200' in capsys.readouterr().out
  assert _steps(run) == sorted(set(_steps(run))) and _steps(run, 'evaluator') == [301]
  assert sorted(os.listdir(run / 'checkpoints')) == ['000000000300', '000000000301']


@pytest.mark.parametrize('name, how', [*_DAMAGES, *_FOLDERS])
def test_where_none_is_whole_the_run_says_so_and_touches_nothing(run, name, how):
  for steps in ('000000000200', '000000000300'):
    _damage(run / 'checkpoints' / steps / name, how)
  before = _steps(run)
  with pytest.raises(errors.UserError, match='No checkpoint in .* is whole: .*300 is damaged .*200 is damaged'):
    tfacme.train(_experiment(301), str(run))
  assert _steps(run) == before


def test_checkpoints_that_are_gone_are_not_begun_anew_without_a_word(run, capsys):
  before = _steps(run)
  (run / 'checkpoints' / '000000000300.damaged').mkdir()
  for steps in sorted(os.listdir(run / 'checkpoints'))[:-1]:
    shutil.rmtree(run / 'checkpoints' / steps)
  with pytest.raises(errors.UserError, match='are gone; .*, or remove that folder to start over'):
    tfacme.train(_experiment(300), str(run))
  (run / 'checkpoints' / '000000000300.damaged').rmdir()
  with pytest.raises(errors.UserError, match='are gone; .*, or remove that folder to start over'):
    tfacme.train(_experiment(300), str(run))
  assert _steps(run) == before
  (run / 'checkpoints').rmdir()
  tfacme.train(_experiment(300), str(run))
  assert f'Starting over in {run}, whose run wrote no checkpoint' in capsys.readouterr().out
  assert _steps(run) == before


def test_those_of_a_replay_server_that_are_gone_are_missed_too(tmp_path):
  """Not where the run had come to none yet, or was stopped while it wrote the first one."""
  tfacme.train(_experiment(200, 'reverb'), str(tmp_path), launch='local_mt', progress=False)
  before = _steps(tmp_path)
  for steps in os.listdir(tmp_path / 'checkpoints'):
    shutil.rmtree(tmp_path / 'checkpoints' / steps)
  with pytest.raises(errors.UserError, match='The checkpoints that were in .* are gone'):
    tfacme.train(_experiment(200, 'reverb'), str(tmp_path), launch='local_mt', progress=False)
  assert _steps(tmp_path) == before
  (tmp_path / 'checkpoints').rmdir()
  assert checkpoints.latest(str(tmp_path / 'checkpoints')) is None
  (tmp_path / 'checkpoints' / 'next.partial').mkdir(parents=True)
  assert checkpoints.latest(str(tmp_path / 'checkpoints')) is None


@pytest.mark.slow
@pytest.mark.parametrize('place', ['beside-learner', 'reverb'])
def test_processes_go_on_from_the_checkpoint_before(place, tmp_path, caplog):
  for steps in (200, 300):  # A saver beside so short a run may come to its last one alone.
    tfacme.train(_experiment(steps, place), str(tmp_path), launch='local_mp', progress=False)
  older, newer = sorted(os.listdir(tmp_path / 'checkpoints'))[-2:]
  files = [path for path in (tmp_path / 'checkpoints' / newer / 'replay').rglob('*') if path.is_file()]
  assert files
  _damage(max(files, key=lambda path: path.stat().st_size), 'cut')
  tfacme.train(_experiment(400, place), str(tmp_path), launch='local_mp', progress=False)
  (said,) = [record.getMessage() for record in caplog.records]
  assert f'{older}, since {newer} is damaged (replay/' in said
  assert _steps(tmp_path) == sorted(set(_steps(tmp_path))) and _steps(tmp_path, 'evaluator') == [200, 400]


# --- A disk that takes no more ---

_LIMITED = """
import resource, sys
import tfacme
from tests.programs import test_damage
from tfacme.cli import guarding

resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
experiment = test_damage._experiment(2000, sys.argv[3])
guarding.leave(lambda: guarding.guard(lambda: tfacme.train(experiment, sys.argv[1], launch=sys.argv[2])))
"""


@pytest.mark.slow
@pytest.mark.parametrize('engine, place', [('inline', 'beside-learner'), ('local_mp', 'reverb')])
def test_a_checkpoint_that_the_disk_does_not_take_is_one_line(engine, place, tmp_path):
  ended = processes.Command(['-c', _LIMITED, str(tmp_path), engine, place]).wait(100)
  assert (ended.code, ended.left) == (2, [])
  (line,) = ended.err.strip().splitlines()
  why = '(File too large|the disk took only a part of \\S+)'
  assert re.match(f'tfacme: The checkpoint could not be written to {tmp_path}/checkpoints: {why};', line)
  left = sorted(os.listdir(tmp_path / 'checkpoints'))
  latest = checkpoints.latest(str(tmp_path / 'checkpoints'))
  assert os.path.basename(latest) == left[-1] and 'the one before it is whole' in line
  tfacme.train(_experiment(2000, place), str(tmp_path), launch=engine, progress=False)
  assert _steps(tmp_path) == sorted(set(_steps(tmp_path))) and _steps(tmp_path, 'evaluator') == [2000]
