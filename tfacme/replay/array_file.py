"""Arrays on disk, written and read a piece at a time: a replay is too large to be in memory twice.

The file is one that `np.load` reads: an uncompressed zip of arrays in numpy's own format.
"""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
from typing import Any, Iterable, Iterator, Literal, Sequence, Tuple, TypeVar

import numpy as np

_BYTES = 2**23  # of a piece


def slices(count: int, row_bytes: int, multiple: int = 1) -> Iterator[slice]:
  """What an array of so many rows, of so many bytes each, is cut into; all but the last have a `multiple` of rows."""
  rows = max(1, _BYTES // max(1, row_bytes * multiple)) * multiple
  return (slice(start, min(start + rows, count)) for start in range(0, count, rows))


_Self = TypeVar('_Self', bound='_ArrayFile')


class _ArrayFile:
  """What writing and reading have in common: the file, closed by `with`, and the hash of what passes through."""

  def __init__(self, path: str, mode: Literal['r', 'w']):
    self._file = zipfile.ZipFile(path, mode)
    self._hash = hashlib.blake2b(digest_size=16)

  def __enter__(self: _Self) -> _Self:
    return self

  def __exit__(self, *error: Any) -> None:
    self._file.close()

  @property
  def digest(self) -> str:
    """Of all that was written, or read."""
    return self._hash.hexdigest()


class ArrayWriter(_ArrayFile):
  """Writes named arrays into a file, and hashes them; closed by `with`."""

  def __init__(self, path: str):
    super().__init__(path, 'w')

  def write(self, name: str, dtype: Any, shape: Sequence[int], pieces: Iterable[np.ndarray]) -> None:
    """Writes an array of this type and shape, which its pieces make up one after the other."""
    dtype, shape = np.dtype(dtype), tuple(shape)
    _begin(self._hash, name, dtype, shape)
    with self._file.open(f'{name}.npy', 'w', force_zip64=True) as file:
      header = {'descr': np.lib.format.dtype_to_descr(dtype), 'fortran_order': False, 'shape': shape}
      np.lib.format.write_array_header_1_0(file, header)
      for piece in pieces:
        data = np.ascontiguousarray(piece, dtype).reshape(-1).view(np.uint8)
        self._hash.update(data)  # type: ignore[arg-type]
        file.write(data)  # type: ignore[arg-type]


class ArrayReader(_ArrayFile):
  """Reads what an `ArrayWriter` wrote, in the same order if the digests are to be the same; closed by `with`."""

  def __init__(self, path: str):
    super().__init__(path, 'r')

  def read(self, name: str) -> np.ndarray:
    """A whole array."""
    with self._open(name) as (file, shape, dtype):
      return self._piece(file, shape, dtype)

  @contextlib.contextmanager
  def pieces(self, name: str, multiple: int = 1) -> Iterator[Tuple[int, Iterator[np.ndarray]]]:
    """(the rows of an array, its pieces, each but the last of a `multiple` of rows)."""
    with self._open(name) as (file, shape, dtype):
      row_bytes = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
      parts = slices(shape[0], row_bytes, multiple)
      yield shape[0], (self._piece(file, (part.stop - part.start, *shape[1:]), dtype) for part in parts)

  @contextlib.contextmanager
  def _open(self, name: str) -> Iterator[Tuple[Any, Tuple[int, ...], np.dtype]]:
    with self._file.open(f'{name}.npy') as file:
      np.lib.format.read_magic(file)
      shape, _, dtype = np.lib.format.read_array_header_1_0(file)
      _begin(self._hash, name, dtype, shape)
      yield file, shape, dtype

  def _piece(self, file: Any, shape: Tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    piece = np.empty(shape, dtype)
    data = piece.reshape(-1).view(np.uint8)
    if file.readinto(data) != len(data):
      raise EOFError(f'{self._file.filename} ends within {file.name}.')
    self._hash.update(data)  # type: ignore[arg-type]
    return piece


def _begin(digest: Any, name: str, dtype: np.dtype, shape: Tuple[int, ...]) -> None:
  digest.update(f'{name}:{dtype.str}{shape};'.encode())
