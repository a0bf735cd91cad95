"""tfacme as others have it: installed from a wheel, with what that says it needs and nothing else, in another folder.

Packages come from the environment of the tests, so that nothing is downloaded; that a package index has them, and that
their versions go together, is not looked at.
"""

import ast
import contextlib
import importlib.metadata
import json
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile
from collections import defaultdict

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from setuptools.config import pyprojecttoml

from tests.pages import ROOT

_FOR_USERS = ('environments', 'trackers', 'serving', 'data', 'ray')  # extras; the others are for this checkout
_BUILD = 'import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))'


def _wanted(requirements, extra=''):
  """(name, its extras) of those of some requirements that count here."""
  for requirement in map(Requirement, requirements):
    if requirement.marker is None or requirement.marker.evaluate({'extra': extra}):
      yield canonicalize_name(requirement.name), requirement.extras


def _closed(requirements):
  """All distributions that some requirements lead to, as far as they are installed here."""
  found, waiting = {}, list(_wanted(requirements))
  while waiting:
    name, extras = waiting.pop()
    for extra in ['', *extras]:
      if (name, extra) in found:
        continue
      try:
        found[name, extra] = importlib.metadata.distribution(name)
      except importlib.metadata.PackageNotFoundError:  # A part of another one here, or for another system.
        continue
      waiting += _wanted(found[name, extra].requires or (), extra)
  return {name: distribution for (name, _), distribution in found.items()}


def _places(distribution):
  """What a distribution has right in the folder of all packages."""
  return {path.parts[0] for path in distribution.files or () if path.parts[0] not in ('..', '__pycache__')}


def test_what_it_imports_is_what_it_says_it_needs():
  imported = defaultdict(set)
  for path in (ROOT / 'tfacme').rglob('*.py'):
    for node in ast.walk(ast.parse(path.read_text())):
      names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
      if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        names.append(node.module)
      for name in names:
        imported[name.partition('.')[0]].add(str(path.relative_to(ROOT)))
  project = pyprojecttoml.read_configuration(ROOT / 'pyproject.toml', expand=False)['project']
  extras = [each for extra in _FOR_USERS for each in project['optional-dependencies'][extra]]
  told = dict(_wanted([*project['dependencies'], *extras]))
  for name, its in list(told.items()):  # What is told with extras brings what these need.
    for extra in its:
      with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # as Ray is not, where the tests run
        told.update(_wanted(importlib.metadata.requires(name) or (), extra))
  owners = defaultdict(set)
  for distribution in importlib.metadata.distributions():
    for place in _places(distribution):
      owners[place.partition('.')[0]].add(canonicalize_name(distribution.metadata['Name']))
  for name in imported.keys() - sys.stdlib_module_names - {'tfacme'}:
    owner = owners[name] or {canonicalize_name(name)}  # of what is not installed here
    assert owner & told.keys(), f'{name} of {owner} is imported in {imported[name]}, and nothing says so'


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

  It has the packages that the wheel asks for, and those that they ask for: links to those of this environment.
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
  with zipfile.ZipFile(wheel) as archive:
    (metadata,) = [name for name in archive.namelist() if name.endswith('.dist-info/METADATA')]
    told = importlib.metadata.PathDistribution(zipfile.Path(archive, f'{os.path.dirname(metadata)}/')).requires
  for distribution in _closed(told).values():
    for name in _places(distribution):
      link = packages / name
      if not (link.exists() or link.is_symlink()):
        link.symlink_to(distribution.locate_file(name))
  where = run_there('python', '-c', 'import tfacme; print(tfacme.__file__)')
  assert pathlib.Path(where.strip()).is_relative_to(packages)
  return run_there


@pytest.mark.slow
def test_it_trains_in_processes_evaluates_and_exports(run):
  train = 'train dqn --env tfacme.testing:TwoStates --steps 300 --launch local_mp --workdir run'
  out = run('tfacme', *train.split(), '--evaluation.episodes', '3', '--config.min-replay-size', '100')
  assert 'dqn on tfacme.testing:TwoStates in run (local_mp)' in out
  assert json.loads(run('tfacme', 'evaluate', 'run', '--episodes', '2', '--json'))['episodes'] == 2
  run('tfacme', 'export', 'run', '--out', 'exported')
  loads = 'import tensorflow as tf; print(tf.saved_model.load("exported").initial_state(1) is not None)'
  assert run('python', '-c', loads) == 'True\n'
