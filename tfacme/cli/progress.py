"""How far a command is that takes long: a line on a terminal, and nothing where there is none."""

from __future__ import annotations

import contextlib
import time
from typing import Callable, Iterator, Optional, Sequence

import rich.console
import rich.live

from tfacme.runs import rounding

_REFRESH_SECONDS = 0.25


@contextlib.contextmanager
def episodes(
  wanted: int, console: Optional[rich.console.Console] = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[Sequence[float]], None]]:
  """Shows on standard error, or on `console`, how many episodes there are, in a line that is gone in the end.

  Args:
    wanted: how many there will be.
    console: where to show.
    clock: tells the time in seconds.

  Yields:
    What takes the returns of all episodes so far; may be called at any rate.
  """
  console = console or rich.console.Console(stderr=True, highlight=False)
  if not console.is_terminal:
    yield lambda returns: None
    return
  shown_at = float('-inf')
  # Refreshed by calls, so that it has no thread.
  with rich.live.Live(console=console, auto_refresh=False, transient=True) as live:

    def show(returns: Sequence[float]) -> None:
      nonlocal shown_at
      if clock() - shown_at >= _REFRESH_SECONDS:
        shown_at = clock()
        mean = f', mean return {rounding.number(sum(returns) / len(returns))}' if returns else ''
        live.update(f'{len(returns):,} of {wanted:,} episodes{mean}', refresh=True)

    show([])
    yield show
