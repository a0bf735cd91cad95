"""The folder of a data set: what it says of itself, and its files of records.

A record of a TFRecord file is its length (uint64), a checksum of the length (uint32), the bytes, and a checksum of the
bytes (uint32). The lengths alone show where every record lies, so that a reader can fetch them in any order.
"""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import os
import struct
from typing import Any, Iterator, List, Tuple

import numpy as np

from tfacme import errors

INFO, FEATURES = 'dataset_info.json', 'features.json'

_HEAD, _TAIL = 12, 4  # bytes around a record


@dataclasses.dataclass(frozen=True)
class Shard:
  """A part of a shard that belongs to a split: `take` records from number `skip` on, of the `records` that it holds."""

  path: str
  records: int
  skip: int
  take: int

  def places(self) -> Tuple[np.ndarray, np.ndarray]:
    """Offsets and lengths [take] of its records, in bytes.

    Raises:
      UserError: if the file is missing, or does not hold as many whole records as it should.
    """
    places = []
    with _opened(self.path) as file:
      at, end = 0, os.fstat(file).st_size
      while at < end:
        head = os.pread(file, 8, at)
        length = struct.unpack('<Q', head)[0] if len(head) == 8 else end
        if at + _HEAD + length + _TAIL > end:
          raise damaged(self.path, f'record {len(places)} runs over the end of the file')
        places.append((at + _HEAD, length))
        at += _HEAD + length + _TAIL
    if len(places) != self.records:
      raise damaged(self.path, f'it holds {len(places)} episodes, and {INFO} says {self.records}')
    offsets, lengths = np.array(places, np.int64).reshape(-1, 2)[self.skip : self.skip + self.take].T
    return offsets, lengths

  def read(self, offset: int, length: int) -> bytes:
    """The bytes of one record."""
    with _opened(self.path) as file:
      data = os.pread(file, length, offset)
    if len(data) < length:
      raise damaged(self.path, 'it became shorter while it was read')
    return data

  def verify(self) -> None:
    """Reads the whole file and compares all checksums; raises a `UserError` if one is wrong."""
    import tensorflow as tf

    try:
      for _ in tf.data.TFRecordDataset(self.path, buffer_size=1 << 20).batch(256):
        pass
    except tf.errors.DataLossError:
      raise damaged(self.path, 'a checksum is wrong') from None


def check(path: str) -> None:
  """Raises a `UserError` if a folder is missing or holds no data set; cheap, and imports no TensorFlow."""
  if not os.path.isdir(path):
    raise errors.UserError(f'There is no folder {path} to read a data set from.')
  for name in (INFO, FEATURES):
    if not os.path.exists(os.path.join(path, name)):
      # `tfds` itself puts a data set into NAME/VERSION or NAME/CONFIG/VERSION.
      deeper = [os.path.join(glob.escape(path), *['*'] * depth, name) for depth in (1, 2, 3)]
      inside = [found for pattern in deeper for found in sorted(glob.glob(pattern))]
      hint = f'; did you mean {os.path.dirname(inside[-1])}?' if inside else '.'
      raise errors.UserError(f'The folder {path} is no RLDS data set: it has no {name}{hint}')


def builder(path: str) -> Any:
  """The `tfds` builder of the data set in a folder.

  Raises:
    UserError: if the folder is missing or holds no data set.
  """
  check(path)
  import tensorflow_datasets as tfds

  try:
    return tfds.builder_from_directory(path)
  except Exception as error:  # damaged JSON makes a dozen kinds of them
    raise errors.UserError(f'The folder {path} is no RLDS data set: {one_line(error)}') from None


def count(path: str, split: str = 'train') -> int:
  """The number of episodes that a folder has in a split of its data set; 0 if there is none."""
  if not os.path.exists(os.path.join(path, INFO)):
    return 0
  splits = builder(path).info.splits
  return splits[split].num_examples if split in splits else 0


def shards(built: Any, path: str, split: str) -> List[Shard]:
  """The shards of a split, a part of one, or several: 'train', 'train[:10%]', 'train+test'.

  Raises:
    UserError: if there is no such split, if it is empty, or if it is not stored as TFRecords.
  """
  if not has_records(built.info):
    raise errors.UserError(f'The data set {path} is stored as {built.info.file_format}, and has to be TFRecords.')
  if not built.info.splits.total_num_examples:
    raise errors.UserError(f'The data set {path} is empty: it holds no whole shard of episodes.')
  for part in split.split('+'):
    name = part.partition('[')[0].strip()
    if name not in (*built.info.splits, 'all'):
      raise errors.unknown('split', name, built.info.splits, f'{path} has {" and ".join(built.info.splits)}.')
  try:
    parts = built.info.splits[split].file_instructions
  except (AssertionError, ValueError) as error:
    raise errors.UserError(f'The data set {path} has no part {split}: {one_line(error)}') from None
  if not parts:
    raise errors.UserError(f'The part {split} of the data set {path} is empty.')
  return [Shard(str(p.filename), p.examples_in_shard, p.skip, p.take) for p in parts]


def has_records(info: Any) -> bool:
  """Whether a data set is stored as TFRecord files."""
  return info.file_format is not None and info.file_format.value == 'tfrecord'


def damaged(path: str, how: str) -> errors.UserError:
  """The error for a file of which something is wrong."""
  return errors.UserError(f'The shard {path} is damaged ({how}): copy it again from where it came from.')


def one_line(error: BaseException) -> str:
  """What an error of a library says, in one line."""
  return ' '.join(str(error).split())[:300] or type(error).__name__


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
  try:
    file = os.open(path, os.O_RDONLY)
  except FileNotFoundError:
    raise errors.UserError(f'The shard {path} is missing: copy it again from where the data set came from.') from None
  try:
    yield file
  finally:
    os.close(file)
