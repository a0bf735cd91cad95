"""Logs as TensorBoard events."""

from __future__ import annotations

import os
import socket
import time
from typing import Any

from tfacme.loggers.base import Row

_FLUSH_SECONDS = 30.0


class TensorBoardLogger:
  """Writes the numbers of each row as scalars, against the steps of the run.

  An event file is a TFRecord file of `Event` messages, so TensorFlow's record writer makes one at 15 microseconds a
  row, where TensorBoard's own writer, whose checksums are computed in Python, takes 65. The writer buffers; it is
  flushed every half a minute, with the row that comes next, and when the logger is closed. When a run resumes from a
  checkpoint, TensorBoard drops what earlier files hold for the steps from the first new row on.
  """

  def __init__(self, folder: str):
    """Makes the folder and, in it, a new file of events."""
    # Imported here, since loggers are also of use where TensorFlow, which takes seconds to import, is not.
    import tensorflow as tf
    from tensorboard.compat.proto import event_pb2

    self._event: Any = event_pb2.Event  # its fields are made as it is imported, where no type checker sees them
    self._started = False
    self._flushed = time.time()
    os.makedirs(folder, exist_ok=True)
    name = f'events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}'
    self._writer = tf.io.TFRecordWriter(os.path.join(folder, name))
    self._add(self._event(wall_time=self._flushed, file_version='brain.Event:2'))

  def write(self, row: Row) -> None:
    """Writes one row; what is text in it is left out.

    The steps are its `actor_steps`, or its `learner_steps` where there are no actors.
    """
    now = time.time()
    step = int(row.get('actor_steps') or row.get('learner_steps') or 0)
    if not self._started:
      self._started = True
      start = self._event(wall_time=now, step=step)
      start.session_log.status = start.session_log.START
      self._add(start)
    event = self._event(wall_time=now, step=step)
    add_value = event.summary.value.add
    for name, value in row.items():
      if not isinstance(value, str):
        add_value(tag=name, simple_value=float(value))
    self._add(event)
    if now - self._flushed >= _FLUSH_SECONDS:
      self._flushed = now
      self._writer.flush()

  def close(self) -> None:
    """Writes out what is pending and closes the file."""
    self._writer.close()

  def _add(self, event: Any) -> None:
    self._writer.write(event.SerializeToString())
