"""How a run stands, for other processes: the run writes it into its folder, and `read` says what is there."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional

FILE = 'status.json'
_SECONDS = 2.0  # between two writings


class Told(NamedTuple):
  """What a run last said of itself."""

  time: float  # seconds since 1970
  host: str
  process: int
  status: Dict[str, Any]  # as a display gets it

  @property
  def running(self) -> Optional[bool]:
    """Whether its process is there; None if that was on another host."""
    if self.host != platform.node():
      return None
    try:
      os.kill(self.process, 0)
    except ProcessLookupError:
      return False
    except PermissionError:  # It is another user's.
      pass
    return True


class Writer:
  """Writes the statuses of a run into its folder, every other second.

  It is no part of the run: what can't be written is left out.
  """

  def __init__(self, workdir: str, clock: Callable[[], float] = time.time):
    self._path = os.path.join(workdir, FILE)
    self._clock = clock
    self._next = float('-inf')
    self._last: Optional[Mapping[str, Any]] = None

  def __call__(self, status: Mapping[str, Any]) -> None:
    """Takes a status in; may be called at any rate."""
    self._last = status
    if self._clock() >= self._next:
      self._write()

  def close(self) -> None:
    """Writes how it ended."""
    if self._last is not None:
      self._write()

  def _write(self) -> None:
    now = self._clock()
    self._next = now + _SECONDS
    told = Told(now, platform.node(), os.getpid(), dict(self._last or {}))
    with contextlib.suppress(OSError, TypeError, ValueError):
      with open(f'{self._path}.partial', 'w', encoding='utf-8') as file:
        json.dump(told._asdict(), file, default=float)
      os.replace(f'{self._path}.partial', self._path)


def read(workdir: str) -> Optional[Told]:
  """What the run in a folder last said of itself; None if it has said nothing yet."""
  try:
    with open(os.path.join(workdir, FILE), encoding='utf-8') as file:
      return Told(**json.load(file))
  except FileNotFoundError:
    return None
