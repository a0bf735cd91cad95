"""Writing RLDS data sets."""

from __future__ import annotations

import fcntl
import glob
import json
import os
from typing import Any, Optional

import numpy as np
import tree

from tfacme import core, errors
from tfacme.datasets import episodes, examples, features, folder

_NAME, _VERSION = 'rlds', '1.0.0'
# Without the number of all shards in their names, more of them can be added.
_TEMPLATE = '{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_INDEX}'
_OPEN = '.incomplete'


class RLDSWriter:
  """Writes episodes into a folder, as a data set that plain `tfds.builder_from_directory(path)` reads.

      with RLDSWriter(path, step_spec) as writer:
        writer.write(episode)

  A folder that holds such a data set already is continued. Shards become part of the data set when they are full, each
  by one rename: a writer that is killed loses the shard that is open, and nothing else. Only one writer at a time may
  have a folder.

  `tfds` encodes episodes step by step, which takes most of its time; here each column of an episode is encoded whole.
  """

  def __init__(self, path: str, spec: core.Step, split: str = 'train', shard_bytes: int = 32 << 20):
    """Makes the folder, or opens it.

    Args:
      path: the folder.
      spec: what one row looks like, as a `core.Step` of specs or of example values. float64 is stored as float32,
        int64 as int32, and frames (uint8 of rank two or more) compressed.
      split: of the data set.
      shard_bytes: a shard is full when it holds so much.

    Raises:
      UserError: if the folder holds other data, or if another writer has it open.
    """
    self._path = os.path.expanduser(os.fspath(path))
    self._split = split
    self._shard_bytes = shard_bytes
    self._shard: Any = None
    self._episodes = self._bytes = 0  # of the open shard
    self._spec = tree.map_structure(lambda leaf: leaf if hasattr(leaf, 'dtype') else np.asarray(leaf), spec)
    feature = features.of_spec(self._spec)
    self._columns = features.named_leaves(features.columns(feature['steps'].feature, 'steps', {}))
    with errors.writing('The folder', self._path):
      os.makedirs(self._path, exist_ok=True)
      self._lock: Optional[int] = _lock(self._path)
    try:
      self._info = self._open(feature)
      self._write_info()
    except BaseException:
      os.close(self._lock)
      raise

  def __enter__(self) -> RLDSWriter:
    return self

  def __exit__(self, *exception: Any) -> None:
    self.close()

  def write(self, episode: core.Step) -> None:
    """Writes one episode, with leaves [T + 1, ...] as `episode` makes them.

    Raises:
      UserError: if it is no whole episode, or does not fit the spec.
    """
    if self._lock is None:
      raise errors.UserError(f'The writer of {self._path} is closed: open another one.')
    data = self._encode(episode)
    if self._shard is None:
      self._shard = _record_writer(self._shard_path() + _OPEN)
    self._shard.write(data)
    self._episodes += 1
    self._bytes += len(data)
    if self._bytes >= self._shard_bytes:
      self.flush()

  def flush(self) -> None:
    """Closes the open shard, even if it is not full, and makes it a part of the data set."""
    if self._shard is None:
      return
    self._shard.close()
    path = self._shard_path()
    os.replace(path + _OPEN, path)
    split = self._split_info()
    split.shard_lengths.append(self._episodes)
    split.num_bytes += self._bytes
    self._write_info()
    self._shard, self._episodes, self._bytes = None, 0, 0

  def close(self) -> None:
    """Writes what is left, and unlocks the folder."""
    if self._lock is None:
      return
    try:
      self.flush()
    finally:
      os.close(self._lock)
      self._lock = None

  def _open(self, feature: Any) -> Any:
    """The description of the data set in the folder, made if there is none."""
    from google.protobuf import json_format
    from tensorflow_datasets.core.proto import dataset_info_pb2

    for left in glob.glob(os.path.join(glob.escape(self._path), f'*{_OPEN}')):
      os.remove(left)  # of a writer that was killed
    path = os.path.join(self._path, folder.INFO)
    if os.path.exists(path):
      _check_same(folder.builder(self._path).info, feature, self._path)
      with open(path, encoding='utf-8') as file:
        info = json_format.Parse(file.read(), dataset_info_pb2.DatasetInfo())
    else:
      info = dataset_info_pb2.DatasetInfo(name=_NAME, version=_VERSION, file_format='tfrecord')
      text = json.dumps(json_format.MessageToDict(feature.to_proto()), indent=2, sort_keys=True)
      _replace(os.path.join(self._path, folder.FEATURES), text)
    if self._split not in [split.name for split in info.splits]:
      info.splits.add(name=self._split, filepath_template=_TEMPLATE)
    return info

  def _write_info(self) -> None:
    from google.protobuf import json_format

    _replace(os.path.join(self._path, folder.INFO), json_format.MessageToJson(self._info, sort_keys=True))

  def _split_info(self) -> Any:
    return next(split for split in self._info.splits if split.name == self._split)

  def _shard_path(self) -> str:
    number = len(self._split_info().shard_lengths)
    return os.path.join(self._path, f'{self._info.name}-{self._split}.tfrecord-{number:05d}')

  def _encode(self, episode: core.Step) -> bytes:
    rows = episodes.check_last(episode.last)
    final = np.atleast_1d(episode.discount)[-2:-1]  # the discount of the last transition
    fields = {name: getattr(episode, name) for name in features.FIELDS}
    fields['is_first'] = np.arange(rows) == 0
    fields['is_last'] = np.arange(rows) == rows - 1
    fields['is_terminal'] = fields['is_last'] & (not final.any())
    leaves = features.named_leaves(fields)
    if leaves.keys() != self._columns.keys():
      names = ' and '.join(sorted(leaves.keys() ^ self._columns.keys()))
      raise errors.UserError(f'The episode has other fields than the spec: {names} is in one of them only.')
    return examples.encode({name: column.encode(leaves[name], rows) for name, column in self._columns.items()})


def _lock(path: str) -> int:
  """Locks the folder for this process; the system releases the lock when the process ends, however it ends."""
  handle = os.open(path, os.O_RDONLY)
  try:
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    os.close(handle)
    raise errors.UserError(f'Another writer has the folder {path} open: give each writer its own folder.') from None
  return handle


def _record_writer(path: str) -> Any:
  import tensorflow as tf

  return tf.io.TFRecordWriter(path)


def _check_same(info: Any, feature: Any, path: str) -> None:
  """Raises a `UserError` unless a data set can take shards of other features."""
  named = {split.filename_template.template for split in info.splits.values() if split.filename_template}
  if not folder.has_records(info) or set(info.features) != {'steps'} or named - {_TEMPLATE}:
    raise errors.UserError(f'The data set {path} was not written by RLDSWriter: write to another folder.')
  old = features.describe(info.features['steps'].feature)
  new = features.describe(feature['steps'].feature)
  for name in sorted({*old, *new}):
    if old.get(name) != new.get(name):
      raise errors.UserError(
        f'The data set {path} has another spec: its {name} is {old.get(name, "missing")}, and that of the episodes to '
        f'write is {new.get(name, "missing")}; write to another folder.'
      )


def _replace(path: str, text: str) -> None:
  """Writes a file so that whoever reads it sees the old one or the new one, whole."""
  with open(path + _OPEN, 'w', encoding='utf-8') as file:
    file.write(text)
  os.replace(path + _OPEN, path)
