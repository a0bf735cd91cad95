"""The page on what is inside a run: its code and its commands, as a reader would run them."""

import pathlib

import pytest

from tests import pages
from tfacme import loggers

_PAGE = (pages.ROOT / 'docs' / 'inside.md').read_text(encoding='utf-8')


@pytest.mark.slow
def test_the_page_runs(tmp_path):
  """A run with a column of its own stops by itself; its policies are evaluated, and its learner learns on."""
  printed = pages.run_code(_PAGE, tmp_path)
  assert 'it catches nineteen balls of twenty' in printed.splitlines()[-2]
  run = pathlib.Path(tmp_path / 'runs' / 'inside')
  for name in ('actor-0', 'evaluator'):
    assert all(float(row['regret']) >= 0 for row in loggers.read(str(run / 'logs' / f'{name}.csv')))
  pages.call_commands(pages.commands(_PAGE), tmp_path)
