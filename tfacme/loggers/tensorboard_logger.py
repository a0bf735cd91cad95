"""Logs as TensorBoard events, written by TensorFlow's own writer."""

from __future__ import annotations

import dataclasses
import os
import time
from typing import Any, Dict

import numpy as np

from tfacme.loggers import base, pictures

_FLUSH_MILLISECONDS = 30_000
_QUEUE = 1_000  # events that wait for a flush at most


@dataclasses.dataclass(frozen=True)
class TensorBoard:
  """TensorBoard: the events of each node in a folder of its name, `logs/NODE/` in the folder of the run.

  `tensorboard --logdir` takes that folder, or one with many runs.
  """

  def __call__(self, log: base.Log) -> base.Logger:
    return TensorBoardLogger(os.path.join(log.folder, log.name), log.start)


class TensorBoardLogger:
  """Writes the numbers of each row as scalars, against the steps of the run.

  A row is one event, at 20 microseconds; `tf.summary.scalar` takes several times as long for each of its numbers. The
  first event of a file says that a log starts there: TensorBoard then drops what earlier files, of a run that was
  stopped, have of later steps.
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

    self._ops: Any = tf.raw_ops
    self._import: Any = tf.raw_ops.ImportEvent
    self._constant: Any = tf.constant
    self._event: Any = event_pb2.Event  # its fields are made as it is imported, where no type checker sees them
    self._row: Any = None  # the event of a row, in which only the numbers change
    self._cells: Dict[str, Any] = {}  # where they are, by column
    self._open = True
    with tf.device('CPU:0'):
      self._writer = tf.raw_ops.SummaryWriter(shared_name=f'{folder} {time.time_ns()}')
      tf.raw_ops.CreateSummaryFileWriter(
        writer=self._writer,
        logdir=folder,
        max_queue=_QUEUE,
        flush_millis=_FLUSH_MILLISECONDS,
        # TensorBoard reads files in the order of their names, which begin with the second.
        filename_suffix=f'.{time.time_ns()}.v2',
      )
    begins = self._event(wall_time=time.time(), step=start + 1 if start else 0)
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
    self._row.wall_time = time.time()
    self._add(self._row)

  def write_image(self, name: str, images: np.ndarray, step: int) -> None:
    """Writes an episode, uint8 [T, H, W, 3], as a picture that moves."""
    height, width = images.shape[1:3]
    event = self._event(wall_time=time.time(), step=step)
    image = event.summary.value.add(tag=name).image
    image.height, image.width, image.colorspace = height, width, 3
    image.encoded_image_string = pictures.encoded(images)[1]
    self._add(event)

  def close(self) -> None:
    """Writes out what is pending and closes the file."""
    if self._open:
      self._open = False
      self._ops.FlushSummaryWriter(writer=self._writer)
      self._ops.CloseSummaryWriter(writer=self._writer)

  def _add(self, event: Any) -> None:
    # A tensor first: what an operation makes of bytes by itself takes it twice as long.
    self._import(writer=self._writer, event=self._constant(event.SerializeToString()))
