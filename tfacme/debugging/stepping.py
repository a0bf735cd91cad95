"""A run that is stepped through: all of it in Python, in one thread, stopping at its breakpoints."""

from __future__ import annotations

import bdb
import contextlib
import os
import pdb
import signal
import sys
import threading
from typing import Any, Iterator

from tfacme.tensors import compiling


@contextlib.contextmanager
def stepping(seed: int) -> Iterator[None]:
  """Within it, updates, losses, policies and networks run eagerly, and `breakpoint()` stops in them.

  While TensorFlow traces a function, to find shapes or to export it, there are no values: `breakpoint()` does nothing,
  but in one that fails so, where the shapes say why.

  Args:
    seed: of random operations that have none of their own.
  """
  hook = sys.breakpointhook
  # Whoever has a debugger of another kind knows how it shares the terminal.
  has_another = hook is not sys.__breakpointhook__ or bool(os.environ.get('PYTHONBREAKPOINT'))

  def stop(*arguments: Any, **keywords: Any) -> Any:
    if not compiling.stops():
      return None
    if has_another:
      return hook(*arguments, **keywords)
    return _Debugger(nosigint=True).set_trace(sys._getframe(1))

  sys.breakpointhook = stop
  try:
    with compiling.eagerly(seed):
      yield
  finally:
    sys.breakpointhook = hook


class _Debugger(pdb.Pdb):
  """Python's own debugger, in a run that takes Ctrl-C for a wish to save and stop."""

  def interaction(self, frame: Any, traceback: Any) -> None:
    """Asks what to do; meanwhile Ctrl-C is the debugger's."""
    with _default_interrupts():
      super().interaction(frame, traceback)

  def trace_dispatch(self, frame: Any, event: str, arg: Any) -> Any:
    """Goes on as it was told; `quit` ends the run as a second Ctrl-C does, and is no failure of a node."""
    try:
      return super().trace_dispatch(frame, event, arg)
    except bdb.BdbQuit:
      raise KeyboardInterrupt from None


@contextlib.contextmanager
def _default_interrupts() -> Iterator[None]:
  if threading.current_thread() is not threading.main_thread():  # Where Python knows no signals.
    yield
    return
  before = signal.signal(signal.SIGINT, signal.default_int_handler)
  try:
    yield
  finally:
    signal.signal(signal.SIGINT, before)
