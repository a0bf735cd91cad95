"""What the tests of the command line share."""

import pytest

from tfacme.cli import quiet


@pytest.fixture(autouse=True)
def _not_silenced(monkeypatch):
  """The command changes variables and warnings of its whole process, which here is that of all other tests too."""
  monkeypatch.setattr(quiet, 'silence', lambda: None)
