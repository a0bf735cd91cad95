"""Which modules go to the other hosts of a run."""

import importlib
import sys
import zipfile

import pytest

from tests import pages
from tfacme.launching import travelling


@pytest.fixture
def imported(tmp_path, monkeypatch):
  """Writes files below a folder, imports the modules of these names, and forgets them."""

  def imported(folder, files, names):
    for file, text in files.items():
      path = tmp_path / folder / file
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path / folder))
    importlib.invalidate_caches()
    for name in names:
      importlib.import_module(name)
    return tmp_path / folder

  before = set(sys.modules)
  yield imported
  for name in set(sys.modules) - before:
    del sys.modules[name]


_MINE = {'travels.py': '', 'package_that_travels/__init__.py': '', 'package_that_travels/part.py': '', 'stays.py': ''}


def test_those_that_were_imported_from_the_current_folder_do(imported, monkeypatch):
  folder = imported('mine', _MINE, ['travels', 'package_that_travels.part'])
  assert str(folder / 'travels.py') not in travelling.modules()  # It is no place of the user's yet.
  monkeypatch.chdir(folder)
  found = set(travelling.modules())
  assert found >= {str(folder / 'travels.py'), str(folder / 'package_that_travels')}
  assert str(folder / 'stays.py') not in found


@pytest.mark.parametrize('place', ['script', 'PYTHONPATH'])
def test_those_beside_the_script_and_of_pythonpath_do(place, imported, monkeypatch):
  folder = imported('mine', _MINE, ['travels'])
  if place == 'script':
    monkeypatch.setattr(sys.modules['__main__'], '__file__', str(folder / 'script.py'), raising=False)
  else:
    monkeypatch.setenv('PYTHONPATH', f'/nowhere:{folder}')
  assert str(folder / 'travels.py') in travelling.modules()


def test_of_a_package_in_several_places_those_do_that_are_the_users(imported, monkeypatch):
  files = {'in_two_places/part.py': '', '../site-packages/in_two_places/other.py': ''}
  folder = imported('mine', files, [])
  monkeypatch.syspath_prepend(str(folder.parent / 'site-packages'))
  importlib.import_module('in_two_places.part')
  monkeypatch.chdir(folder)
  monkeypatch.setitem(sys.modules, '__mp_main__', sys.modules['__main__'])
  monkeypatch.setattr(sys.modules['__main__'], '__file__', str(folder / 'script.py'), raising=False)
  found = travelling.modules()
  assert [path for path in found if 'in_two_places' in path] == [str(folder / 'in_two_places')]
  assert not [path for path in found if path.endswith('script.py')]  # It travels within the nodes.


def test_a_link_travels_by_its_own_name(imported, monkeypatch):
  folder = imported('mine', {'../elsewhere/real.py': ''}, [])
  (folder / 'linked_module.py').symlink_to('../elsewhere/real.py')
  importlib.invalidate_caches()
  importlib.import_module('linked_module')
  monkeypatch.chdir(folder)
  assert str(folder / 'linked_module.py') in travelling.modules()


@pytest.mark.parametrize('mark', ['site-packages/mine.py', 'lib/installed_here-1.0.dist-info/RECORD'])
def test_what_was_installed_stays(mark, imported, monkeypatch):
  place = mark.partition('/')[0]
  folder = imported(place, {f'../{mark}': '', 'installed_here.py': ''}, ['installed_here'])
  monkeypatch.setenv('PYTHONPATH', str(folder))
  assert str(folder / 'installed_here.py') not in travelling.modules()


def test_modules_of_an_archive_stay(tmp_path, monkeypatch):
  with zipfile.ZipFile(tmp_path / 'archive.zip', 'w') as archive:
    archive.writestr('in_an_archive.py', '')
  monkeypatch.syspath_prepend(str(tmp_path / 'archive.zip'))
  monkeypatch.setenv('PYTHONPATH', str(tmp_path / 'archive.zip'))
  importlib.import_module('in_an_archive')
  assert not [path for path in travelling.modules() if 'archive' in path]


def test_tfacme_itself_stays(monkeypatch):
  monkeypatch.chdir(pages.ROOT)
  found = travelling.modules()
  assert str(pages.ROOT / 'tests') in found and str(pages.ROOT / 'tfacme') not in found
