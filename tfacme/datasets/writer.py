"""Writing RLDS data sets."""

from __future__ import annotations

import json
import os
from typing import Any, Mapping, Optional

import numpy as np
import tree

from tfacme import core, errors
from tfacme.datasets import ends, episodes, examples, features, folder, records
from tfacme.datasets import metadata as metadata_lib
from tfacme.datasets import shards as shards_lib

_LEAST_BYTES = 64 << 10  # in a shard, so that a small data set has few of them
_PART = 8  # a shard is full when it holds such a part of the data set: so much of it is not readable yet at the most


class RLDSWriter:
  """Writes episodes into a folder, as a data set that plain `tfds.builder_from_directory(path)` reads.

      with RLDSWriter(path, step_spec) as writer:
        writer.write(episode)

  A folder that holds such a data set already is continued. When `write` returns, the system has the episode: a writer
  that is killed loses none. Shards become part of the data set when they are full, each by one rename, and the one that
  a kill leaves open when a writer opens the folder next, or by `recover`.

  Only one writer at a time may have a folder. Several of them, on whatever hosts, write one data set as parts of it:
  each into a folder of its own within that of the data set, which are read together.

  `tfds` encodes episodes step by step, which takes most of its time; here each column of an episode is encoded whole.
  """

  def __init__(
    self,
    path: str,
    spec: core.Step,
    split: str = 'train',
    shard_bytes: int = 32 << 20,
    metadata: Optional[Mapping[str, Any]] = None,
    part: Optional[str] = None,
  ):
    """Makes the folder, or opens it.

    Args:
      path: the folder.
      spec: what one row looks like, as a `core.Step` of specs or of example values. float64 is stored as float32,
        int64 as int32 if bounds, or that example value, say that it holds all values, and frames (uint8 of rank two or
        more) compressed.
      split: of the data set.
      shard_bytes: a shard is full when it holds so much, or an eighth of what the split held before.
      metadata: {name: example value} of what is written of each episode: texts, whole numbers, numbers
        and booleans; `datasets.METADATA` is what recordings have.
      part: the name of a part of the data set, of which this is the only writer; None is the whole of it.

    Raises:
      UserError: if the folder holds other data, or if another writer has it open.
    """
    _check_step('The spec of a writer', spec, 'core.step_spec(environment_spec) or datasets.memory(episodes).spec()')
    root = os.path.expanduser(os.fspath(path))
    self._path = root if part is None else folder.part(root, part)
    self._shard_bytes = shard_bytes
    self._shard: Any = None
    self._bytes = 0  # of the open shard
    self._metadata = dict(metadata or {})
    self._spec = tree.map_structure(lambda leaf: leaf if hasattr(leaf, 'dtype') else np.asarray(leaf), spec)
    feature = features.of_spec(self._spec, self._metadata)
    self._columns = features.named_leaves(features.columns(feature['steps'].feature, 'steps', {}))
    _check_place(root, self._path, feature)
    with errors.writing('The folder', self._path):
      os.makedirs(self._path, exist_ok=True)
      self._shards = shards_lib.Shards(self._path)
    try:
      with errors.writing('The folder', self._path):
        self._open(feature)
        self._split = self._shards.split(split)
        self._shards.write_info()
    except BaseException:
      self._shards.close()
      raise

  def __enter__(self) -> RLDSWriter:
    return self

  def __exit__(self, *exception: Any) -> None:
    self.close()

  def write(self, episode: core.Step, metadata: Optional[Mapping[str, Any]] = None) -> None:
    """Writes one episode.

    Args:
      episode: with leaves [T + 1, ...] as `episode` makes them.
      metadata: {name: value} of what is known of it, for all names that the writer was given.

    Raises:
      UserError: if it is no whole episode, does not fit the spec, or can't be written.
    """
    if self._shards.closed:
      raise errors.UserError(f'The writer of {self._path} is closed: open another one.')
    _check_step('An episode to write', episode, 'datasets.episode(rows) or datasets.memory(episodes).episodes()')
    data = self._encode(episode, metadata or {})
    try:
      with errors.writing('The folder', self._path):
        if self._shard is None:
          self._shard = open(self._shards.next_path(self._split) + folder.OPEN, 'wb', buffering=0)
        _write(self._shard, records.framed(data))  # From now on the system has it.
    except errors.UserError:
      self.flush()  # What is whole of the shard stays.
      raise
    self._bytes += len(data)
    if self._bytes >= min(self._shard_bytes, max(_LEAST_BYTES, self._split.num_bytes // _PART)):
      self.flush()

  def flush(self) -> None:
    """Closes the open shard, even if it is not full, and makes it a part of the data set."""
    if self._shard is not None:
      self._shard.close()
    self._shard, self._bytes = None, 0
    with errors.writing('The folder', self._path):
      # How much is whole is seen in the file: writing it may have failed, or have been interrupted.
      self._shards.take_in(self._split)

  def keep(self, episodes: int) -> int:
    """Removes all but the first episodes of the split; returns how many those were."""
    self.flush()
    with errors.writing('The folder', self._path):
      return self._shards.keep(self._split, episodes)

  def close(self) -> None:
    """Writes what is left, and unlocks the folder."""
    if self._shards.closed:
      return
    try:
      self.flush()
    finally:
      self._shards.close()

  def _open(self, feature: Any) -> None:
    """Opens the data set in the folder, or makes it."""
    if os.path.exists(os.path.join(self._path, folder.INFO)):
      _check_same(folder.builder(self._path).info, feature, self._path)
      self._shards.read()
    else:
      from google.protobuf import json_format

      self._shards.make(json.dumps(json_format.MessageToDict(feature.to_proto()), indent=2, sort_keys=True))

  def _encode(self, episode: core.Step, metadata: Mapping[str, Any]) -> bytes:
    rows = episodes.check_last(episode.last)
    final = np.atleast_1d(episode.discount)[-2:-1]  # the discount of the last transition
    fields = {name: getattr(episode, name) for name in ends.FIELDS}
    fields['is_first'] = np.arange(rows) == 0
    fields['is_last'] = np.arange(rows) == rows - 1
    fields['is_terminal'] = fields['is_last'] & (not final.any())
    leaves = features.named_leaves(fields)
    if leaves.keys() != self._columns.keys():
      names = ' and '.join(sorted(leaves.keys() ^ self._columns.keys()))
      raise errors.UserError(f'The episode has other fields than the spec: {names} is in one of them only.')
    columns = {name: column.encode(leaves[name], rows) for name, column in self._columns.items()}
    return examples.encode({**columns, **metadata_lib.columns(metadata, self._metadata)})


def _check_step(what: str, given: Any, makers: str) -> None:
  """Raises a `UserError` unless a `core.Step` is given."""
  if not isinstance(given, core.Step):
    raise errors.UserError(f'{what} is {type(given).__name__}, and has to be a core.Step, as of {makers}.')


def continued(path: str, part: Optional[str] = None) -> int:
  """How many episodes there are in a folder, or in a part of it, that a writer would go on with; 0 if there are none.

  Those that a killed recording has left are among them.

  Raises:
    UserError: if another writer has it open.
  """
  place = os.path.expanduser(os.fspath(path))
  place = place if part is None else folder.part(place, part)
  if not os.path.exists(os.path.join(place, folder.INFO)):
    return 0
  shards_lib.recover(place)
  return folder.count(place)


def check_part(path: str, spec: core.Step, metadata: Mapping[str, Any], part: str) -> None:
  """Raises a `UserError` if a part of a data set can't be written into a folder beside what is there."""
  root = os.path.expanduser(os.fspath(path))
  _check_place(root, folder.part(root, part), features.of_spec(spec, metadata))


def _write(file: Any, data: bytes) -> None:
  """Writes all of the data into a file without a buffer."""
  left = memoryview(data)
  while left:
    left = left[file.write(left) :]


def _check_place(root: str, path: str, feature: Any) -> None:
  """Raises a `UserError` if a folder can't hold a data set in `path`: it is the folder, or that of a part.

  Args:
    root: the folder of the data set.
    path: the folder to write into.
    feature: of the data set.
  """
  if folder.is_run(root):
    raise errors.UserError(f'{root} is the folder of a run, and no data set: write to another folder.')
  parts = folder.parts(root)
  if path == root and parts:
    raise errors.UserError(
      f'The data set {root} is in parts, such as {os.path.basename(parts[0])}: write a part of it (part, --part NAME), '
      'or to another folder.'
    )
  if path != root and os.path.exists(os.path.join(root, folder.INFO)):
    raise errors.UserError(f'The data set {root} is not in parts: write to another folder.')
  others = [other for other in parts if other != path]
  if others:
    _check_same(folder.builder(others[0]).info, feature, others[0])


def _check_same(info: Any, feature: Any, path: str) -> None:
  """Raises a `UserError` unless a data set can take shards of other features."""
  named = {split.filename_template.template for split in info.splits.values() if split.filename_template}
  if info.name != shards_lib.NAME or not folder.has_records(info) or named - {shards_lib.TEMPLATE}:
    raise errors.UserError(f'The data set {path} was not written by RLDSWriter: write to another folder.')
  old = features.describe(info.features['steps'].feature)
  new = features.describe(feature['steps'].feature)
  for name in sorted({*old, *new}):
    if old.get(name) != new.get(name):
      raise errors.UserError(
        f'The data set {path} has another spec: its {name} is {old.get(name, "missing")}, and that of the episodes to '
        f'write is {new.get(name, "missing")}; write to another folder.'
      )
  kinds = [sorted(features.metadata_kinds(one).items()) for one in (info.features, feature)]
  if kinds[0] != kinds[1]:
    had, have = (errors.listed((f'{name} ({words})' for name, words in one), most=8) for one in kinds)
    raise errors.UserError(
      f'The data set {path} has other metadata of its episodes: {had}, and those to write have '
      f'{have}; write to another folder.'
    )
