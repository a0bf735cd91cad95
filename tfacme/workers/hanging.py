"""An environment that does not return: in which call a thread is, and for how long.

The loops note nothing for it. Once a second a thread of its own looks at the stack of the one that works.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import traceback
import types
from typing import Callable, Iterator, NamedTuple, Optional

import dm_env

LONG_SECONDS = 10.0  # in a call that is worth a line
_LOOK_SECONDS = 1.0
_METHODS = ('reset', 'step')
_STANDARD = os.path.dirname(os.__file__)  # Python's own library


class Call(NamedTuple):
  """A call of an environment that has not returned."""

  method: str  # 'reset' or 'step'
  slot: Optional[int]  # of the actor's
  place: str  # the innermost line that it has come to, outside of Python's own library: 'simulator.py:31'
  stack: str  # all of it, as a traceback has it
  seconds: float  # since it was seen first

  def __str__(self) -> str:
    slot = '' if self.slot is None else f' in slot {self.slot}'
    return f'{self.method}() of its environment{slot}, at {self.place}'


class Lookout:
  """Finds out in which call of an environment a thread is; all calls are of one thread."""

  def __init__(self, thread: int, clock: Callable[[], float] = time.monotonic):
    """Args: thread: its identifier."""
    self._thread = thread
    self._clock = clock
    self._frame: Optional[types.FrameType] = None  # of the call that it was in when it was looked at last
    self._since = 0.0

  def look(self) -> Optional[Call]:
    """The call that the thread is in, and was in when it was looked at before; None if it is in none, or another."""
    innermost = sys._current_frames().get(self._thread)
    frame = _outermost_call(innermost)
    if frame is None or frame is not self._frame:
      self._frame, self._since = frame, self._clock()
      return None
    assert innermost is not None
    stack = ''.join(traceback.format_stack(innermost))
    return Call(frame.f_code.co_name, _slot(frame), _place(innermost, frame), stack, self._clock() - self._since)


def _outermost_call(frame: Optional[types.FrameType]) -> Optional[types.FrameType]:
  """Of the calls of environments that a frame is within, wrappers and what they are around, the outermost."""
  found = None
  while frame is not None:
    if frame.f_code.co_name in _METHODS and isinstance(frame.f_locals.get('self'), dm_env.Environment):
      found = frame
    frame = frame.f_back
  return found


def _place(innermost: types.FrameType, outermost: types.FrameType) -> str:
  """The innermost line of a call that is not of Python's own library, which most of what waits is within."""
  frame = innermost
  while frame is not outermost and _is_standard(frame.f_code.co_filename) and frame.f_back is not None:
    frame = frame.f_back
  return f'{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}'


def _is_standard(file: str) -> bool:
  return file.startswith(_STANDARD) and 'site-packages' not in file


def _slot(frame: types.FrameType) -> Optional[int]:
  """Of the call of an environment: the number of its slot, if whoever calls it has several."""
  caller = frame.f_back
  slot = None if caller is None else caller.f_locals.get('slot')
  return slot if isinstance(slot, int) else None


@contextlib.contextmanager
def looked_after(
  told: Callable[[Optional[Call]], None], seconds: float = LONG_SECONDS, period: float = _LOOK_SECONDS
) -> Iterator[None]:
  """Within this, whether this thread hangs in an environment is told.

  Args:
    told: is called, in another thread, once in a period with the call that has taken long, and with None after it.
    seconds: that are long.
    period: seconds between two looks.
  """
  over = threading.Event()
  lookout = Lookout(threading.get_ident())
  looking = threading.Thread(target=_look, args=(lookout, told, seconds, period, over), name='lookout', daemon=True)
  looking.start()
  try:
    yield
  finally:
    over.set()


def _look(
  lookout: Lookout, told: Callable[[Optional[Call]], None], seconds: float, period: float, over: threading.Event
) -> None:
  hangs = False
  while not over.wait(period):
    call = lookout.look()
    long = call is not None and call.seconds >= seconds
    if long or hangs:
      told(call if long else None)
    hangs = long
