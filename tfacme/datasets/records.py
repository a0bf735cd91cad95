"""The records of a TFRecord file, which may end in the middle of one.

A record is its length (uint64), a checksum of the length (uint32), the bytes, and a checksum of the bytes (uint32). So
what is whole at the front of a file can be told, whatever happened to whoever wrote it.
"""

from __future__ import annotations

import contextlib
import os
import struct
from typing import Iterator, List, Sequence, Tuple

HEAD, TAIL = 12, 4  # bytes around a record


def checksum(data: bytes) -> bytes:
  """What is behind these bytes in a file: their CRC32C, turned and shifted."""
  import google_crc32c

  crc = google_crc32c.value(data)
  return struct.pack('<I', ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def framed(data: bytes) -> bytes:
  """The record of these bytes."""
  head = struct.pack('<Q', len(data))
  return b''.join([head, checksum(head), data, checksum(data)])


class Damage(ValueError):
  """Says what is wrong with a file of records."""


def places(handle: int) -> Iterator[Tuple[int, int]]:
  """(offset, length) of each record of an open file, in bytes; raises a `Damage` at one that is not whole."""
  at, end, number = 0, os.fstat(handle).st_size, 0
  while at < end:
    head = os.pread(handle, HEAD, at)
    length = struct.unpack('<Q', head[:8])[0] if len(head) == HEAD else end
    if at + HEAD + length + TAIL > end:
      raise Damage(f'record {number} runs over the end of the file')
    if checksum(head[:8]) != head[8:]:
      raise Damage(f'a checksum is wrong, of the length of record {number}')
    yield at + HEAD, length
    at, number = at + HEAD + length + TAIL, number + 1


def read(handle: int, offset: int, length: int) -> bytes:
  """The bytes of the record at a place of an open file; raises a `Damage` if they are not those that were written."""
  data = os.pread(handle, length + TAIL, offset)
  if len(data) < length + TAIL:
    raise Damage('it became shorter while it was read')
  if checksum(data[:length]) != data[length:]:
    raise Damage(f'a checksum is wrong, of the record at byte {offset}')
  return data[:length]


def whole(path: str, verify: bool = False) -> List[int]:
  """The lengths in bytes of the records at the front of a file that are whole.

  Args:
    path: of the file.
    verify: whether the records' checksums are compared too: after a failure of power, what was written last may be
      zeros.
  """
  lengths: List[int] = []
  with open(path, 'rb') as file, contextlib.suppress(Damage):
    for offset, length in places(file.fileno()):
      if verify:
        read(file.fileno(), offset, length)
      lengths.append(length)
  return lengths


def cut(path: str, lengths: Sequence[int]) -> None:
  """Leaves the records of these lengths at the front of a file alone, and waits until they are on the disk."""
  with open(path, 'r+b') as file:
    file.truncate(sum(HEAD + length + TAIL for length in lengths))
    os.fsync(file.fileno())
