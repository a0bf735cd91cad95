"""Keeps the start-up noise of the libraries from the user, and nothing else."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from typing import Iterator

# Written by C++ code straight to file descriptor 2, whatever the logging level.
_NOISE = re.compile(
  rb'^(\[reverb/cc/|WARNING: All log messages before absl::InitializeLog|[IW]\d{4} [\d:.]+ +\d+ \S+\.cc:)'
)


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
    for line in iter(lines.readline, b''):
      if not _NOISE.match(line):
        os.write(kept, line)
