"""Starts a server of Reverb's."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import Any, Iterator, Sequence

import reverb

_PIECE = 1 << 16  # bytes that are written at a time


def start(tables: Sequence[Any], port: int, checkpointer: Any) -> reverb.Server:
  """A server that has restored what its checkpointer has.

  For each hundred items Reverb writes a line to standard error, and holds Python's lock all the time: whoever reads
  that in this process, as who filters it does, can't, and once a pipe was full both would wait for ever.
  """
  with held_back():
    return reverb.Server(tables, port=port, checkpointer=checkpointer)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
  """Keeps what is written to file descriptor 2 within this context in a file, and writes it there afterwards."""
  kept = os.dup(2)
  with tempfile.TemporaryFile() as file:
    os.dup2(file.fileno(), 2)
    try:
      yield
    finally:
      os.dup2(kept, 2)
      os.close(kept)
      file.seek(0)
      while piece := file.read(_PIECE):
        while piece:
          piece = piece[os.write(2, piece) :]
