"""Logs as CSV files: one header, one line for each row, complete up to the last row at any moment.

A run may be killed at any byte. What counts as a row is therefore a line that ends in a newline: a half-written last
line is ignored by readers of a log, and cut off by the writer that continues it.
"""

from __future__ import annotations

import csv
import glob
import io
import os
from typing import Dict, List, Optional, TextIO, Tuple

from tfacme.loggers.base import Row


class CSVLogger:
  """Writes rows to a CSV file, each of them at once.

  The columns are the keys of the first row, or those of the file if it has rows already: then new rows go to its end.
  A log without rows has no file.
  """

  def __init__(self, path: str):
    """A logger to the file at `path`; makes its folder if there is none."""
    self._path = os.fspath(path)
    os.makedirs(os.path.dirname(self._path) or '.', exist_ok=True)
    self._columns = _cut_to_whole_lines(self._path)
    self._file: Optional[TextIO] = None
    self._closed = False

  def write(self, row: Row) -> None:
    """Writes one row.

    Raises:
      ValueError: if its columns are not those of the file.
    """
    begins = not self._columns
    self._columns = self._columns or tuple(row)
    try:
      values = [row[column] for column in self._columns]
    except KeyError:
      raise self._other_columns(row) from None
    if len(row) != len(values):
      raise self._other_columns(row)
    if self._closed:
      raise ValueError(f'{self._path} is closed.')
    if self._file is None:
      self._file = open(self._path, 'a', newline='', encoding='utf-8')
    writer = csv.writer(self._file, lineterminator='\n')
    writer.writerows([self._columns, values] if begins else [values])
    self._file.flush()  # Several times slower than leaving it to the buffer, yet only microseconds.

  def close(self) -> None:
    """Closes the file."""
    self._closed = True
    if self._file is not None:
      self._file.close()

  def _other_columns(self, row: Row) -> ValueError:
    missing = [column for column in self._columns if column not in row]
    new = [column for column in row if column not in self._columns]
    return ValueError(
      f'All rows of {self._path} need the same columns; this one lacks {missing or "none"} and adds {new or "none"}.'
    )


def files(workdir: str) -> Dict[str, str]:
  """The logs that a run has in its folder, {node: path}."""
  paths = glob.glob(os.path.join(glob.escape(workdir), 'logs', '*.csv'))
  return {os.path.splitext(os.path.basename(path))[0]: path for path in paths}


def read(path: str) -> List[Dict[str, str]]:
  """All whole rows of a log, as text by column; none if there is no such file."""
  columns, rows = _parse(_whole_lines(path))
  return [dict(zip(columns, row)) for row in rows]


def keep_until(path: str, column: str, value: float) -> None:
  """Drops the rows of a log that come after a count, for a run that resumes from a checkpoint.

  The file changes at once or not at all. If there is none, there is nothing to do.

  Args:
    path: the log.
    column: the count, such as 'actor_steps'.
    value: rows in which the column is larger than this are dropped.

  Raises:
    ValueError: if the log has no such column.
  """
  columns, rows = _parse(_whole_lines(path))
  if not columns:
    return
  if column not in columns:
    raise ValueError(f'{path} has no column {column!r}; it has {", ".join(columns)}.')
  index = columns.index(column)
  temporary = f'{path}.{os.getpid()}.tmp'
  with open(temporary, 'w', newline='', encoding='utf-8') as file:
    writer = csv.writer(file, lineterminator='\n')
    writer.writerow(columns)
    writer.writerows(row for row in rows if float(row[index]) <= value)
    file.flush()
    os.fsync(file.fileno())
  os.replace(temporary, path)


def _whole_lines(path: str) -> str:
  """The text of a file up to its last newline; none if there is no file."""
  try:
    with open(path, 'rb') as file:
      data = file.read()
  except FileNotFoundError:
    return ''
  return data[: data.rfind(b'\n') + 1].decode('utf-8', errors='replace')


def _parse(text: str) -> Tuple[Tuple[str, ...], List[List[str]]]:
  """The header and the rows that have as many values as the header."""
  lines = list(csv.reader(io.StringIO(text, newline='')))
  if not lines:
    return (), []
  return tuple(lines[0]), [line for line in lines[1:] if len(line) == len(lines[0])]


def _cut_to_whole_lines(path: str) -> Tuple[str, ...]:
  """Cuts off a half-written last line, and returns the columns (none for a new file)."""
  text = _whole_lines(path)
  length = len(text.encode('utf-8'))
  if os.path.exists(path) and os.path.getsize(path) > length:
    os.truncate(path, length)
  return _parse(text)[0]
