"""Keeps the start-up noise of the libraries from the user, and nothing else."""

from __future__ import annotations

import contextlib
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
_REST = b'\t [[{{node '  # how a line of TensorFlow's may go on


def within_a_run() -> contextlib.AbstractContextManager[None]:
  """Keeps away what TensorFlow notes, if it was imported before tfacme could tell it not to."""
  return filtered_stderr() if startup.TENSORFLOW_CAME_FIRST else contextlib.nullcontext()


@contextlib.contextmanager
def filtered_stderr() -> Iterator[None]:
  """Drops the libraries' own lines from file descriptor 2 within this context."""
  kept = os.dup(2)
  read, write = os.pipe()
  os.dup2(write, 2)
  os.close(write)
  thread = threading.Thread(target=_copy, args=(read, kept), name='stderr', daemon=True)
  thread.start()
  try:
    yield
  finally:
    os.dup2(kept, 2)  # The pipe's last writing end is closed with this, unless a child process has one.
    thread.join(timeout=1.0)
    os.close(kept)


def _copy(read: int, kept: int) -> None:
  with open(read, 'rb') as lines:
    dropped = False
    for line in iter(lines.readline, b''):
      dropped = bool(_NOISE.match(line)) or (dropped and line.startswith(_REST))
      if not dropped:
        os.write(kept, line)
