"""The page on learning from recorded data: its code and its commands, as a reader would run them."""

import pytest

from tests import pages

_PAGE = (pages.ROOT / 'docs' / 'data.md').read_text(encoding='utf-8')


@pytest.mark.slow
def test_the_page_runs(tmp_path):
  """Data are recorded and brought, looked at, learned from, and an agent goes on in the environment."""
  pages.run_code(_PAGE, tmp_path)
  pages.call_commands(pages.commands(_PAGE), tmp_path)
  for made in (
    'data/catch.png',
    'data/catch.gif',
    'data/random.gif',
    'runs/offline.png',
    'runs/scored.png',
    'runs/estimated.png',
    'runs/half/policy',
  ):
    assert (tmp_path / made).exists(), made
