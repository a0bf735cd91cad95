"""Ctrl-C and SIGTERM, as something that a loop looks at."""

from __future__ import annotations

import signal
import threading
from typing import Any, Dict, Optional

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
  """Within this context, a signal to stop is noted for the loop that runs to act on; a second one ends the process.

  Off the main thread, where Python knows no signals, it never asks to stop.

  Attributes:
    signum: of the first signal that came, or None.
  """

  def __init__(self):
    self.signum: Optional[int] = None
    self._previous: Dict[int, Any] = {}

  def __enter__(self) -> StopRequest:
    if threading.current_thread() is threading.main_thread():
      for signum in _SIGNALS:
        self._previous[signum] = signal.signal(signum, self._note)
    return self

  def __exit__(self, *unused: Any) -> None:
    for signum, handler in self._previous.items():
      signal.signal(signum, handler)

  def _note(self, signum: int, frame: Any) -> None:
    del frame
    if self.signum is not None:
      raise KeyboardInterrupt  # A second signal means: do not wait for a checkpoint.
    self.signum = signum
