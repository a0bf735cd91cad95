"""Logs as TensorBoard events, written by TensorFlow's own writer of records."""

from __future__ import annotations

import dataclasses
import os
import socket
import time
from typing import Any, Dict

import numpy as np

from tfacme.loggers import base, pictures

_FLUSH_SECONDS = 30.0


@dataclasses.dataclass(frozen=True)
class TensorBoard:
  """TensorBoard: the events of each node in a folder of its name, `logs/NODE/` in the folder of the run.

  `tensorboard --logdir` takes that folder, or one with many runs.
  """

  def __call__(self, log: base.Log) -> base.Logger:
    return TensorBoardLogger(os.path.join(log.folder, log.name), log.start)


class TensorBoardLogger:
  """Writes the numbers of each row as scalars, against the steps of the run.

  A row is one event, and a file of events is one of records: TensorFlow's writer of those takes a third of the time
  that its operations for summaries take, which matters where episodes are short. The first events of a file say what it
  is, and that a log starts there: TensorBoard then drops what earlier files, of a run that was stopped, have of later
  steps. It is flushed every half a minute, with the row that comes next, after each picture, and when it is closed.
  """

  def __init__(self, folder: str, start: int = 0):
    """Makes the folder and, in it, a new file of events.

    Args:
      folder: of this log alone.
      start: steps of the run before it, if it is resumed.
    """
    # Imported here, since loggers are also of use where TensorFlow, which takes seconds to import, is not.
    import tensorflow as tf
    from tensorboard.compat.proto import event_pb2

    self._event: Any = event_pb2.Event  # its fields are made as it is imported, where no type checker sees them
    self._row: Any = None  # the event of a row, in which only the numbers change
    self._cells: Dict[str, Any] = {}  # where they are, by column
    self._open = True
    self._flushed = time.time()
    os.makedirs(folder, exist_ok=True)
    # TensorBoard reads files in the order of their names.
    name = f'events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}.v2'
    self._writer = tf.io.TFRecordWriter(os.path.join(folder, name))
    self._add(self._event(wall_time=self._flushed, file_version='brain.Event:2'))
    begins = self._event(wall_time=self._flushed, step=start + 1 if start else 0)
    begins.session_log.status = begins.session_log.START
    self._add(begins)

  def write(self, row: base.Row) -> None:
    """Writes one row; what is text in it is left out."""
    numbers = dict(base.numbers(row))
    cells = self._cells
    if numbers.keys() != cells.keys():
      self._row = self._event()
      self._cells = cells = {name: self._row.summary.value.add(tag=name) for name in numbers}
    for name, number in numbers.items():
      cells[name].simple_value = number
    self._row.step = base.step(row)
    self._row.wall_time = now = time.time()
    self._add(self._row)
    if now - self._flushed >= _FLUSH_SECONDS:
      self._flush(now)

  def write_image(self, name: str, images: np.ndarray, step: int) -> None:
    """Writes an episode, uint8 [T, H, W, 3], as a picture that moves."""
    height, width = images.shape[1:3]
    event = self._event(wall_time=time.time(), step=step)
    image = event.summary.value.add(tag=name).image
    image.height, image.width, image.colorspace = height, width, 3
    image.encoded_image_string = pictures.encoded(images)[1]
    self._add(event)
    self._flush(event.wall_time)  # The row that comes next may be an evaluation later.

  def close(self) -> None:
    """Writes out what is pending and closes the file."""
    if self._open:
      self._open = False
      self._writer.close()

  def _flush(self, now: float) -> None:
    self._flushed = now
    self._writer.flush()

  def _add(self, event: Any) -> None:
    self._writer.write(event.SerializeToString())
