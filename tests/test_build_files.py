"""The BUILD files are true: every Python file is in a target, and the dependencies are what the imports say."""

import ast
import os
import pathlib
import textwrap

import pytest

from tools import build_files

ROOT = pathlib.Path(__file__).absolute().parent.parent

whole_checkout = pytest.mark.skipif(
  'TEST_SRCDIR' in os.environ, reason='a Bazel test sees only the files that it depends on, not the whole checkout'
)


def _rules(text):
  """The rules of a BUILD file, as (kind, fields): to Python's parser it is a file of calls."""
  for node in ast.parse(text).body:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
      yield node.value.func.id, {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.value.keywords}


def _sources(folder, text):
  for _, fields in _rules(text):
    for source in fields.get('srcs', []):
      package, _, name = source.rpartition(':')
      yield os.path.join(package[2:] or folder, name)


@whole_checkout
def test_build_files_are_what_the_imports_say():
  stale = sorted(build_files.differences(ROOT))
  assert not stale, f'run `make build-files`: {", ".join(stale)}'


@whole_checkout
def test_every_python_file_is_in_one_target():
  inside = []
  outside = set()
  for folder, subfolders, files in os.walk(ROOT):
    relative = os.path.relpath(folder, ROOT).lstrip('.')
    subfolders[:] = [
      name
      for name in subfolders
      if not name.startswith('.') and name not in ('build', 'dist', 'runs') and not name.endswith('.egg-info')
    ]
    outside.update(os.path.join(relative, name) for name in files if name.endswith('.py'))
    if 'BUILD' in files and 'WORKSPACE' not in files or folder == str(ROOT):
      inside += _sources(relative, pathlib.Path(folder, 'BUILD').read_text())
  assert sorted(outside) == sorted(inside)


@pytest.fixture
def toy(tmp_path):
  """Writes the files of a toy checkout and gives the rules that come of it, as {label: (kind, fields)}."""

  def make(**files):
    for name, text in files.items():
      path = tmp_path / (name.replace('__in__', '/') + '.py')
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text(textwrap.dedent(text))
    return {
      f'//{os.path.dirname(path)}:{fields["name"]}': (kind, fields)
      for path, text in build_files.build_files(tmp_path).items()
      for kind, fields in _rules(text)
      if 'name' in fields
    }

  return make


def test_dependencies_are_the_imports_and_the_package(toy):
  rules = toy(
    lib__in____init__='',
    lib__in__core='import numpy',
    lib__in__types='',
    lib__in__learning="""
      from typing import TYPE_CHECKING
      from lib.core import Step
      from . import tables
      if TYPE_CHECKING:
        from lib import types
    """,
    lib__in__tables='',
  )
  assert rules['//lib:lib'] == ('py_library', {'name': 'lib', 'srcs': ['__init__.py']})
  assert rules['//lib:core'] == ('py_library', {'name': 'core', 'srcs': ['core.py'], 'deps': [':lib']})
  assert rules['//lib:learning'][1]['deps'] == [':core', ':lib', ':tables']


def test_imports_in_functions_and_names_of_modules_count(toy):
  rules = toy(
    lib__in__a='',
    lib__in__b='',
    lib__in__c='',
    lib__in__agents__in__dqn='',
    lib__in__user="""
      TABLE = {'b': 'lib.b:make'}
      def run(name):
        from lib import a
        importlib.import_module('lib.c')
        importlib.import_module(f'lib.agents.{name}')
    """,
  )
  assert rules['//lib:user'][1]['deps'] == [':a', ':b', ':c', '//lib/agents:dqn']


def test_a_module_that_every_package_of_a_folder_has_may_be_named_by_both_ends(toy):
  rules = toy(
    lib__in__agents__in__dqn__in__about='',
    lib__in__agents__in__sac__in__about='',
    lib__in__agents__in__sac__in__update='',
    lib__in__user="about = lambda name: importlib.import_module(f'lib.agents.{name}.about')",
  )
  assert rules['//lib:user'][1]['deps'] == ['//lib/agents/dqn:about', '//lib/agents/sac:about']


def test_files_that_import_each_other_share_a_target(toy):
  rules = toy(lib__in__a='import lib.b', lib__in__b='import lib.a', lib__in__c='import lib.b')
  assert rules['//lib:a'] == ('py_library', {'name': 'a', 'srcs': ['a.py', 'b.py']})
  assert rules['//lib:c'][1]['deps'] == [':a']


def test_a_circle_of_imports_may_span_folders(toy):
  rules = toy(
    lib__in____init__='from lib.inner import thing', lib__in__inner__in____init__='', lib__in__inner__in__thing=''
  )
  assert [label for label in rules if label.startswith('//lib')] == ['//lib:lib']
  assert rules['//lib:lib'][1]['srcs'] == ['__init__.py', '//lib/inner:__init__.py', '//lib/inner:thing.py']


def test_a_lazy_package_brings_what_it_offers_to_those_who_import_it(toy):
  rules = toy(
    lib__in____init__="""
      import lazy_loader
      attach = lazy_loader.attach(__name__, submodules=['core'], submod_attrs={'running': ['train']})
    """,
    lib__in__core='',
    lib__in__running='from lib import core',
    user='import lib',
    user_of_one='from lib import train',
  )
  assert rules['//lib:__init__'] == ('py_library', {'name': '__init__', 'srcs': ['__init__.py']})
  assert rules['//lib:core'][1]['deps'] == [':__init__']
  assert rules['//lib:lib'] == ('py_library', {'name': 'lib', 'deps': [':__init__', ':core', ':running']})
  assert rules['//:user'][1]['deps'] == ['//lib']
  assert rules['//:user_of_one'][1]['deps'] == ['//lib:__init__', '//lib:running']


def test_tests_bring_their_conftest_and_slow_ones_are_marked(toy):
  rules = toy(
    tests__in__conftest='',
    tests__in__programs__in__helper='',
    tests__in__programs__in__test_run="""
      import pytest
      from tests.programs import helper
      @pytest.mark.slow
      def test_it(): pass
    """,
    tests__in__test_fast="""
      import pytest
      @pytest.mark.slow
      def test_it(): pass
      def test_other(): pass
    """,
  )
  assert rules['//tests:test_fast'] == (
    'pytest_test',
    {'name': 'test_fast', 'srcs': ['test_fast.py'], 'deps': [':conftest']},
  )
  assert rules['//tests/programs:test_run'] == (
    'pytest_test',
    {
      'name': 'test_run',
      'size': 'large',
      'srcs': ['test_run.py'],
      'tags': ['slow'],
      'deps': [':helper', '//tests:conftest'],
    },
  )
  assert rules['//tests/programs:helper'][1]['testonly'] is True


def test_a_script_is_a_binary(toy):
  rules = toy(programs__in__dqn="if __name__ == '__main__':\n  print()")
  assert rules['//programs:dqn'][0] == 'py_binary'
