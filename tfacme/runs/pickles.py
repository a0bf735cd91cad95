"""The pickles of an experiment in a run's folder: other processes make its environments and learners of them."""

from __future__ import annotations

import os
from typing import Any

import cloudpickle

from tfacme import errors

_LARGE = 1 << 24  # bytes; what is larger when it is pickled is not kept


def is_small(part: Any) -> bool:
  """Whether something is little when it is pickled; of what is large, no more is pickled than shows that."""
  try:
    cloudpickle.dump(part, _Scales())
  except _LargeError:
    return False
  except Exception:  # What can't be pickled is told of where it is to be kept.
    return True
  return True


class _LargeError(Exception):
  """More was written than is small."""


class _Scales:
  """A file that weighs what is written into it, and keeps none of it."""

  def __init__(self):
    self._bytes = 0

  def write(self, data: Any) -> None:
    """Weighs it."""
    self._bytes += memoryview(data).nbytes
    if self._bytes > _LARGE:
      raise _LargeError()


def write(path: str, part: Any, what: str) -> None:
  """Writes something into a file, which is there whole or not at all.

  Raises:
    UserError: it can't be pickled.
  """
  try:
    packed = cloudpickle.dumps(part)
  except Exception as error:
    raise errors.UserError(
      f'{what} can not be pickled: {error}; keep open files, locks and generators out of it.'
    ) from error
  with open(path + '.partial', 'wb') as file:
    file.write(packed)
  os.replace(path + '.partial', path)


def read(path: str, what: str) -> Any:
  """What a run has written into a file."""
  with open(path, 'rb') as file:
    packed = file.read()
  try:
    return cloudpickle.loads(packed)
  except ModuleNotFoundError as error:
    raise errors.UserError(
      f'The {what} of {os.path.dirname(path)} is from the module {error.name!r}, which can not be found; run in its '
      'folder, or install its package.'
    ) from error
