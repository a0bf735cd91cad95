"""What a logger is, and the two that write no files."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Protocol, Sequence, Union

# One row of a log. All rows of a log have the same columns.
Row = Mapping[str, Union[int, float, str, Any]]


class Logger(Protocol):
  """Takes the rows of one log."""

  def write(self, row: Row) -> None:
    """Writes one row."""
    ...

  def close(self) -> None:
    """Writes out what is pending; no row may follow."""
    ...


class MemoryLogger:
  """Keeps its rows in memory, for notebooks and for runs without a folder.

  Attributes:
    rows: all rows so far, the oldest first.
  """

  def __init__(self):
    self.rows: List[Dict[str, Any]] = []

  def write(self, row: Row) -> None:
    """Keeps a copy of the row."""
    self.rows.append(dict(row))

  def close(self) -> None:
    """Does nothing; the rows stay."""


class Tee:
  """Writes each row to several loggers."""

  def __init__(self, loggers: Sequence[Logger]):
    self._loggers = tuple(loggers)

  def write(self, row: Row) -> None:
    """Writes one row to each of them, in order."""
    for logger in self._loggers:
      logger.write(row)

  def close(self) -> None:
    """Closes all of them."""
    for logger in self._loggers:
      logger.close()
