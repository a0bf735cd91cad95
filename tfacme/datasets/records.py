"""The records of a TFRecord file, which may end in the middle of one.

A record is its length (uint64), a checksum of the length (uint32), the bytes, and a checksum of the bytes (uint32). So
what is whole at the front of a file can be told, whatever happened to whoever wrote it.
"""

from __future__ import annotations

import os
import struct
from typing import List, Sequence

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


def whole(path: str, verify: bool = False) -> List[int]:
  """The lengths in bytes of the records at the front of a file that are whole.

  Args:
    path: of the file.
    verify: whether checksums are compared too: after a failure of power, what was written last may be zeros.
  """
  lengths: List[int] = []
  with open(path, 'rb') as file:
    handle, at, end = file.fileno(), 0, os.fstat(file.fileno()).st_size
    while len(head := os.pread(handle, HEAD, at)) == HEAD:
      length = struct.unpack('<Q', head[:8])[0]
      size = HEAD + length + TAIL
      if at + size > end or (verify and os.pread(handle, size, at) != framed(os.pread(handle, length, at + HEAD))):
        break
      lengths.append(length)
      at += size
  return lengths


def cut(path: str, lengths: Sequence[int]) -> None:
  """Leaves the records of these lengths at the front of a file alone, and waits until they are on the disk."""
  with open(path, 'r+b') as file:
    file.truncate(sum(HEAD + length + TAIL for length in lengths))
    os.fsync(file.fileno())
