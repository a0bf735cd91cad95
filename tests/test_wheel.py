"""tfacme as others have it: installed from a wheel into an environment of its own, used from another folder."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest

from tests.pages import ROOT

_BUILD = 'import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))'


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
  """The wheel of this checkout, built from a copy, so that nothing of that is left here."""
  source, out = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('wheel')
  for name in ('pyproject.toml', 'setup.py', 'README.md', 'LICENSE'):
    shutil.copy(ROOT / name, source / name)
  shutil.copytree(ROOT / 'tfacme', source / 'tfacme', ignore=shutil.ignore_patterns('__pycache__'))
  done = subprocess.run(
    [sys.executable, '-c', _BUILD, str(out)], cwd=source, capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stderr
  return out / done.stdout.split()[-1]


@pytest.mark.slow
def test_it_holds_all_that_is_imported_and_says_that_it_has_types(wheel):
  with zipfile.ZipFile(wheel) as archive:
    names = set(archive.namelist())
  here = (
    path.relative_to(ROOT) for pattern in ('*.py', '*.pyi', 'py.typed') for path in (ROOT / 'tfacme').rglob(pattern)
  )
  assert {str(path) for path in here} <= names
  assert 'tfacme/py.typed' in names
  assert not [name for name in names if name.startswith('tests')]


@pytest.fixture(scope='module')
def run(wheel, tmp_path_factory):
  """Runs the commands of an environment into which the wheel is installed, in a folder that has nothing to do with it.

  What tfacme needs is that of this environment, which is seen by its path; what was made editable here is not.
  """
  place, folder = tmp_path_factory.mktemp('environment'), tmp_path_factory.mktemp('elsewhere')
  subprocess.run([sys.executable, '-m', 'venv', str(place)], check=True, timeout=200)
  (packages,) = place.glob('lib/python3*/site-packages')
  variables = {name: value for name, value in os.environ.items() if name not in ('PYTHONPATH', 'VIRTUAL_ENV')}

  def run_there(program, *arguments):
    done = subprocess.run(
      [str(place / 'bin' / program), *arguments],
      cwd=folder,
      env=variables,
      capture_output=True,
      text=True,
      check=False,
      timeout=280,
    )
    assert done.returncode == 0, f'{arguments}\n{done.stdout}\n{done.stderr}'
    return done.stdout

  run_there('python', '-m', 'pip', 'install', '--quiet', '--no-deps', '--no-index', str(wheel))
  (packages / 'theirs.pth').write_text(sysconfig.get_path('purelib') + '\n')
  where = run_there('python', '-c', 'import tfacme; print(tfacme.__file__)')
  assert pathlib.Path(where.strip()).is_relative_to(packages)
  return run_there


@pytest.mark.slow
@pytest.mark.parametrize('engine', ['inline', 'local_mp'])
def test_it_trains_evaluates_and_exports(engine, run):
  train = f'train dqn --env bsuite:catch/0 --steps 300 --launch {engine} --workdir run-{engine}'
  out = run('tfacme', *train.split(), '--evaluation.episodes', '3', '--config.min-replay-size', '100')
  assert f'dqn on bsuite:catch/0 in run-{engine} ({engine})' in out
  assert json.loads(run('tfacme', 'evaluate', f'run-{engine}', '--episodes', '2', '--json'))['episodes'] == 2
  run('tfacme', 'export', f'run-{engine}', '--out', f'exported-{engine}')
  loads = f'import tensorflow as tf; print(tf.saved_model.load("exported-{engine}").initial_state(1) is not None)'
  assert run('python', '-c', loads) == 'True\n'
