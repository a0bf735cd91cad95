"""The shards of a data set that is being written, and what one of its writers leaves that is killed.

A shard is written under a name that ends in `.incomplete`. It becomes part of the data set by one rename, after which
`dataset_info.json` says how many episodes it holds. So a kill leaves at most one file that is no part of the data set
yet, under either name: whoever opens the folder next takes in what is whole at the front of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import Any, Dict, Optional

from tfacme import errors
from tfacme.datasets import folder, records

# Without the number of all shards in their names, more of them can be added.
TEMPLATE = '{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_INDEX}'
NAME, _VERSION = 'rlds', '1.0.0'


class Shards:
  """The shards in a folder, which this process alone may write until it closes them.

  Attributes:
    info: the description of the data set, as `tfds` has it; None before it is read or made.
  """

  def __init__(self, path: str):
    """Locks the folder; raises a `UserError` if another writer has it."""
    self._path = path
    self._lock: Optional[int] = _lock(path)
    self.info: Any = None

  @property
  def closed(self) -> bool:
    """Whether the folder may be another's."""
    return self._lock is None

  def read(self) -> int:
    """Reads what the folder says of itself, and takes in what a killed writer has left; returns how many episodes."""
    from google.protobuf import json_format
    from tensorflow_datasets.core.proto import dataset_info_pb2

    with open(os.path.join(self._path, folder.INFO), encoding='utf-8') as file:
      text = file.read()
    try:
      self.info = json_format.Parse(text, dataset_info_pb2.DatasetInfo())
    except json_format.ParseError as error:
      raise errors.UserError(f'The folder {self._path} is no RLDS data set: {folder.one_line(error)}') from None
    if self.info.name != NAME:  # What others leave beside a data set means something else.
      raise errors.UserError(f'The data set {self._path} was not written by RLDSWriter: write to another folder.')
    return sum(self.take_in(split, verify=True) for split in self.info.splits)

  def make(self, features: str) -> None:
    """Makes an empty data set of these features, as JSON."""
    from tensorflow_datasets.core.proto import dataset_info_pb2

    self.info = dataset_info_pb2.DatasetInfo(name=NAME, version=_VERSION, file_format='tfrecord')
    _replace(os.path.join(self._path, folder.FEATURES), features)

  def split(self, name: str) -> Any:
    """A split, which is made if there is none of that name."""
    for split in self.info.splits:
      if split.name == name:
        return split
    return self.info.splits.add(name=name, filepath_template=TEMPLATE)

  def next_path(self, split: Any) -> str:
    """The name that the next shard of a split will have."""
    return self._shard_path(split, len(split.shard_lengths))

  def take_in(self, split: Any, verify: bool = False) -> int:
    """Makes files that are no part of a split yet its next shards, as far as they are whole.

    Args:
      split: of `info`.
      verify: see `records.whole`.

    Returns:
      How many episodes they have.
    """
    episodes = 0
    while True:
      path = self.next_path(split)
      left = next(filter(os.path.exists, (path, path + folder.OPEN)), None)
      if left is None:
        return episodes
      lengths = records.whole(left, verify)
      if not lengths:
        os.remove(left)
        continue
      records.cut(left, lengths)
      os.replace(left, path)
      split.shard_lengths.append(len(lengths))
      split.num_bytes += sum(lengths)
      self.write_info()
      episodes += len(lengths)

  def keep(self, split: Any, episodes: int) -> int:
    """Removes all but the first episodes of a split; returns how many those were.

    A kill in here leaves a data set that can be read. Some of them may be there still.
    """
    lengths = list(split.shard_lengths)
    more = sum(lengths) - episodes
    if more <= 0:
      return 0
    first = kept = 0
    while kept + lengths[first] <= episodes:
      kept, first = kept + lengths[first], first + 1
    paths = [self._shard_path(split, number) for number in range(first, len(lengths))]
    split.num_bytes -= sum(sum(records.whole(path)) for path in paths)
    del split.shard_lengths[first:]
    self.write_info()
    for path in reversed(paths[1:]):  # From the last one on, since what is left would be taken in again.
      os.remove(path)
    records.cut(paths[0], records.whole(paths[0])[: episodes - kept])
    self.take_in(split)
    return more

  def write_info(self) -> None:
    """Writes the description of the data set."""
    from google.protobuf import json_format

    _replace(os.path.join(self._path, folder.INFO), json_format.MessageToJson(self.info, sort_keys=True))

  def close(self) -> None:
    """Unlocks the folder."""
    if self._lock is not None:
      os.close(self._lock)
      self._lock = None

  def _shard_path(self, split: Any, number: int) -> str:
    return os.path.join(self._path, f'{self.info.name}-{split.name}.tfrecord-{number:05d}')


def recover(path: str) -> int:
  """Makes episodes that a killed recording has left beside a data set a part of it; returns how many.

  A writer that opens the folder does so by itself. Of a data set in parts, each is looked at.

  Raises:
    UserError: if there is no data set, or if a writer has it open.
  """
  path, episodes = os.path.expanduser(os.fspath(path)), 0
  folder.check(path)
  for place in folder.places(path):
    with errors.writing('The folder', place), contextlib.closing(Shards(place)) as shards:
      episodes += shards.read()
  return episodes


def left_open(path: str) -> Dict[str, int]:
  """{file: episodes} of shards that are no part of a data set yet; see `recover`."""
  return {file: len(records.whole(file)) for file in folder.left_open(os.path.expanduser(os.fspath(path)))}


def _lock(path: str) -> int:
  """Locks the folder for this process; the system releases the lock when the process ends, however it ends."""
  handle = os.open(path, os.O_RDONLY)
  try:
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    os.close(handle)
    raise errors.UserError(
      f'Another writer has the folder {path} open: give each writer its own folder, or a part of one (part, --part '
      'NAME), which are read together.'
    ) from None
  return handle


def _replace(path: str, text: str) -> None:
  """Writes a file so that whoever reads it sees the old one or the new one, whole."""
  with open(path + folder.OPEN, 'w', encoding='utf-8') as file:
    file.write(text)
    file.flush()
    os.fsync(file.fileno())
  os.replace(path + folder.OPEN, path)
