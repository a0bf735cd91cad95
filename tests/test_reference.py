"""The page that lists all public names is true, and what is missing in it is said."""

import importlib
import os
import textwrap

import pytest

from tools import reference


@pytest.mark.skipif('TEST_SRCDIR' in os.environ, reason='a Bazel test sees only the files that it depends on')
def test_the_page_is_what_the_docstrings_say():
  written = (reference.ROOT / reference.PAGE).read_text(encoding='utf-8')
  assert written == reference.page(), 'run `make reference`'
  assert set(reference.names()) == {line.split('`')[1] for line in written.splitlines() if line.startswith('- `')}


@pytest.mark.parametrize('package', ['networks', 'testing'])
def test_it_has_all_that_a_package_gives_out(package):
  given_out = {name for name in dir(importlib.import_module(f'tfacme.{package}')) if name[0] != '_'}
  modules = {path.stem for path in (reference.ROOT / 'tfacme' / package).glob('*.py')}
  listed = {name.removeprefix(f'{package}.') for name in reference.names() if name.startswith(f'{package}.')}
  assert given_out - modules - {'lazy_loader'} <= listed


@pytest.fixture
def toy(tmp_path, monkeypatch):
  """A checkout with one package and one module, and the texts of both."""
  monkeypatch.setattr(reference, 'PACKAGES', ('tfacme.parts',))
  monkeypatch.setattr(reference, 'MODULES', ('tfacme.core',))

  def make(core, inside):
    (tmp_path / 'tfacme' / 'parts').mkdir(parents=True)
    (tmp_path / 'tfacme' / 'parts' / '__init__.py').write_text('')
    (tmp_path / 'tfacme' / 'parts' / '__init__.pyi').write_text('from .inside import Part as Part\n')
    (tmp_path / 'tfacme' / 'core.py').write_text(textwrap.dedent(core))
    (tmp_path / 'tfacme' / 'parts' / 'inside.py').write_text(textwrap.dedent(inside))
    return tmp_path

  return make


_INSIDE = '''
  class Part:
    """A part.

    More of it.
    """

  class Hidden:
    """Is not given out."""
'''
_CORE = '''
  import os

  # What there
  # may be.
  Kind = int
  MOST = 3  # of them
  _PRIVATE = 4

  def describe():
    """Describes."""
'''


def test_names_have_the_first_line_of_what_is_said_of_them(toy):
  found = reference.names(toy(_CORE, _INSIDE))
  assert {name: entry.summary for name, entry in found.items()} == {
    'parts.Part': 'A part.',
    'core.Kind': 'What there may be.',
    'core.MOST': 'of them',
    'core.describe': 'Describes.',
  }


def test_a_name_of_which_nothing_is_said(toy):
  with pytest.raises(reference.PageError, match='no docstring or comment for core.Silent'):
    reference.names(toy('class Silent: pass', _INSIDE))


def test_a_name_has_a_section_of_its_own_before_its_module_has_it(toy):
  found = reference.names(toy(_CORE, _INSIDE))
  wanted = {'All': ('tfacme.core', 'core.MOST'), 'Parts': ('tfacme.parts.inside', 'core.Kind')}
  filled = reference.sections(found, wanted)
  assert {title: [name.shown for name in listed] for title, listed in filled.items()} == {
    'All': ['core.describe', 'core.MOST'],
    'Parts': ['parts.Part', 'core.Kind'],
  }


@pytest.mark.parametrize(
  'wanted, says',
  [
    ({'All': ('tfacme.core',)}, 'Put these into a section of tools/reference.py: parts.Part'),
    (
      {'All': ('tfacme.core', 'core.gone', 'tfacme.parts')},
      "The section 'All' .* has 'core.gone', of which there is no",
    ),
  ],
)
def test_what_does_not_fit_is_said(toy, wanted, says):
  with pytest.raises(reference.PageError, match=says):
    reference.sections(reference.names(toy(_CORE, _INSIDE)), wanted)
