"""What every row of every node tells of the node itself: for how long it runs, and what that takes."""

from __future__ import annotations

import math
import time
from typing import Callable, Optional

import numpy as np
import psutil

from tfacme.loggers import base

COLUMNS = ('seconds', 'memory_mb', 'cpu_percent')  # of all rows, after those of the worker
_SAMPLE_SECONDS = 1.0  # between two looks at the process: they cost more than a row, and short episodes are many
_MEGABYTE = 2**20


class NodeColumns:
  """A logger around a logger, which adds the columns of the node.

  `seconds` since the node started, `memory_mb` that its process holds, and `cpu_percent`, what its process has taken of
  one core (of several, over 100) since it was last looked at. The process is looked at once a second at most; rows
  between two looks have the same numbers.
  """

  def __init__(
    self,
    logger: base.Logger,
    clock: Callable[[], float] = time.monotonic,
    process: Optional[psutil.Process] = None,
  ):
    """Begins to measure.

    Args:
      logger: gets the rows.
      clock: seconds.
      process: that is looked at; None is this one.
    """
    self._logger = logger
    self._clock = clock
    self._process = process or psutil.Process()
    self._process.cpu_percent()  # The next call says what was taken since this one.
    self._started = clock()
    self._sampled = -math.inf
    self._memory = self._cpu = 0.0

  def write(self, row: base.Row) -> None:
    """Writes the row with the columns of the node at its end."""
    now = self._clock()
    if now - self._sampled >= _SAMPLE_SECONDS:
      self._sampled = now
      self._memory = round(self._process.memory_info().rss / _MEGABYTE, 1)
      self._cpu = self._process.cpu_percent()
    seconds = round(now - self._started, 3)
    self._logger.write({**row, 'seconds': seconds, 'memory_mb': self._memory, 'cpu_percent': self._cpu})

  def write_image(self, name: str, images: np.ndarray, step: int) -> None:
    """Passes pictures on."""
    base.write_image(self._logger, name, images, step)

  def close(self) -> None:
    """Closes the logger inside."""
    self._logger.close()
