"""How far a command is, as a terminal shows it."""

import io

import rich.console

from tfacme.cli import progress


def _shown(terminal):
  output, now = io.StringIO(), [0.0]
  console = rich.console.Console(file=output, force_terminal=terminal, width=80, highlight=False)
  with progress.episodes(800, console, lambda: now[0]) as show:
    for seconds, returns in ((0.1, [1.0]), (1.0, [1.0, 2.0]), (1.1, [1.0, 2.0, 9.0]), (2.0, [-12135.5] * 61)):
      now[0] = seconds
      show(returns)
  return output.getvalue()


def test_a_line_now_and_then():
  shown = _shown(terminal=True)
  for line in ('0 of 800 episodes', '2 of 800 episodes, mean return 1.5', '61 of 800 episodes, mean return -12136'):
    assert line in shown
  assert '1 of 800 episodes,' not in shown.replace('61 of', '') and '3 of 800' not in shown


def test_nothing_where_there_is_no_terminal():
  assert _shown(terminal=False) == ''
