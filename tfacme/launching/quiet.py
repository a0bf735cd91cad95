"""Keeps the start-up noise of the libraries from the user, and nothing else."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import re
import threading
from typing import Iterator

from tfacme import startup

# Written by C++ code straight to file descriptor 2, whatever the logging level; the last is TensorFlow's, whose level
# is fixed once it is imported, maybe before us.
_NOISE = re.compile(
  rb'^(\[reverb/cc/|WARNING: All log messages before absl::InitializeLog|[IW]\d{4} [\d:.]+ +\d+ \S+\.cc:'
  rb'|\d{4}-\d\d-\d\d [\d:.]+: [IW] tensorflow/)'
)
_LOOK_SECONDS = 0.1  # between looks at what has been written
_PIECE = 1 << 20  # bytes that are read at a time
_KEEP_SIZE, _PUNCH_HOLE = 1, 2  # fallocate(2)
_LIBC = ctypes.CDLL(None)
_REST = b'\t [[{{node '  # how a line of TensorFlow's may go on


def within_a_run() -> contextlib.AbstractContextManager[None]:
  """Keeps away what TensorFlow notes, if it was imported before tfacme could tell it not to."""
  return filtered_stderr() if startup.TENSORFLOW_CAME_FIRST else contextlib.nullcontext()


@contextlib.contextmanager
def filtered_stderr() -> Iterator[None]:
  """Drops the libraries' own lines from file descriptor 2 within this context.

  What is written goes into memory, and from there on. A pipe would be full sooner or later for C++ code that holds
  Python's lock, so that nobody here can read: Reverb writes a line for each hundred items that it restores.
  """
  kept, written = os.dup(2), os.memfd_create('stderr')
  fcntl.fcntl(written, fcntl.F_SETFL, os.O_APPEND)
  os.dup2(written, 2)
  over = threading.Event()
  thread = threading.Thread(target=_copy, args=(written, kept, over), name='stderr', daemon=True)
  thread.start()
  try:
    yield
  finally:
    os.dup2(kept, 2)
    over.set()
    thread.join(timeout=1.0)
    os.close(kept)


def _copy(written: int, kept: int, over: threading.Event) -> None:
  """Copies lines as they come, and what is left at the end."""
  position, freed, rest, dropped = 0, 0, b'', False
  with open(written, 'rb', buffering=0):
    last = False
    while not last:
      last = over.wait(_LOOK_SECONDS)
      if os.fstat(written).st_size < position:  # Somebody has opened it anew, as /dev/stderr, which empties it.
        position = freed = 0
      while piece := os.pread(written, _PIECE, position):
        position += len(piece)
        *lines, rest = (rest + piece).split(b'\n')
        for line in lines:
          dropped = bool(_NOISE.match(line)) or (dropped and line.startswith(_REST))
          if not dropped:
            os.write(kept, line + b'\n')
      if position - freed > _PIECE:
        _free(written, position)
        freed = position
    if rest:
      os.write(kept, rest)


def _free(file: int, size: int) -> None:
  """Gives back the memory of the first bytes of a file, which keeps its size."""
  _LIBC.fallocate(file, _PUNCH_HOLE | _KEEP_SIZE, ctypes.c_long(0), ctypes.c_long(size))
