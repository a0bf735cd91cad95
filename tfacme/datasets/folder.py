"""The folder of a data set: what it says of itself, and its files of records.

The lengths of the records of a TFRecord file alone show where every one lies, so that a reader can fetch them in any
order. Each checksum is compared when what it is of is read. A data set that several writers wrote at once is in parts:
folders within its own, which are read as one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import glob
import json
import os
import re
from typing import Any, Callable, Iterator, List, Optional, Sequence, Tuple, Type

import numpy as np

from tfacme import errors
from tfacme.datasets import records

INFO, FEATURES = 'dataset_info.json', 'features.json'
OPEN = '.incomplete'  # behind the names of files while they are written

_OPEN_FILES = 16  # in the format array_record, whose readers have to find out about the whole file
_TFDS = 'tfds:'  # in front of the names of data sets that `tfds` keeps
_RUN = 'experiment.json'  # what the folder of a run has
_PART = 'part-'  # in front of the names of the folders that are parts of a data set


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
    offsets, lengths = self._places()
    if len(offsets) != self.records:
      raise damaged(self.path, f'it holds {len(offsets)} episodes, and {INFO} says {self.records}')
    return offsets[self.skip : self.skip + self.take], lengths[self.skip : self.skip + self.take]

  def read(self, offset: int, length: int) -> bytes:
    """The bytes of one record; raises a `UserError` if they are not those that were written."""
    with _opened(self.path) as file:
      return records.read(file, offset, length)

  def verify(self) -> None:
    """Reads the whole file and compares all checksums; raises a `UserError` if one is wrong."""
    for offset, length in np.stack(self._places(), axis=1).tolist():
      self.read(offset, length)

  def _places(self) -> Tuple[np.ndarray, np.ndarray]:
    """Offsets and lengths of all records of the file."""
    with _opened(self.path) as file:
      places = list(records.places(file))
    offsets, lengths = np.array(places, np.int64).reshape(-1, 2).T
    return offsets, lengths


class ArrayShard(Shard):
  """A shard in the format array_record, whose records are found by their numbers."""

  def places(self) -> Tuple[np.ndarray, np.ndarray]:
    """Numbers of its records [take], and their mean size in bytes as the length of each; see `Shard`."""
    count = self._reading(lambda reader: reader.num_records())
    if count != self.records:
      raise damaged(self.path, f'it holds {count} episodes, and {INFO} says {self.records}')
    numbers = np.arange(self.skip, self.skip + self.take)
    return numbers, np.full_like(numbers, os.path.getsize(self.path) // max(1, count))

  def read(self, offset: int, length: int) -> bytes:
    """The bytes of the record with a number."""
    return self._reading(lambda reader: reader.read([offset])[0])

  def verify(self) -> None:
    """Reads the whole file, which compares all checksums."""
    self._reading(lambda reader: reader.read_all())

  def _reading(self, function: Callable[[Any], Any]) -> Any:
    try:
      state = _state(os.stat(self.path))
    except FileNotFoundError:
      raise _missing(self.path) from None
    try:
      return function(_array_reader(self.path, state))
    except Exception as error:  # it has no errors of its own
      raise damaged(self.path, one_line(error)) from None


@functools.lru_cache(maxsize=_OPEN_FILES)
def _array_reader(path: str, state: Tuple[int, ...]) -> Any:
  """A reader of a file in the state in which it is, which stays open; it reads nothing ahead of what is asked for."""
  del state
  from array_record.python import array_record_module

  return array_record_module.ArrayRecordReader(path, options='readahead_buffer_size:0', file_reader_buffer_size=1 << 15)


def absolute(name: str) -> str:
  """The name of a data set, from whatever folder it is looked at."""
  return name if name.startswith(_TFDS) else os.path.abspath(os.path.expanduser(name))


def place(name: str, data_dir: str) -> str:
  """The folder of a data set: `name` itself, or where `tfds` keeps tfds:NAME[/CONFIG][:VERSION] in its folder.

  Raises:
    UserError: if there is no such data set of `tfds`, or if it has several configs and none is named.
  """
  if not name.startswith(_TFDS):
    return name
  named, _, version = name[len(_TFDS) :].partition(':')
  wanted, _, config = named.partition('/')
  there = sorted(os.path.basename(path) for path in glob.glob(os.path.join(glob.escape(data_dir), '*')))
  if wanted not in there:
    hint = f'{data_dir} has {errors.listed(there)}; --dataset.data_dir says where else to look.'
    raise errors.unknown('data set', wanted, there, hint)
  base = os.path.join(data_dir, wanted)
  found = [
    os.path.relpath(os.path.dirname(path), base)
    for depth in (1, 2)
    for path in glob.glob(os.path.join(glob.escape(base), *['*'] * depth, FEATURES))
  ]
  fitting = [path for path in found if not config or os.path.dirname(path) == config]
  fitting = [path for path in fitting if not version or os.path.basename(path) == version]
  configs = sorted({os.path.dirname(path) for path in fitting})
  if not fitting:
    raise errors.UserError(f'There is no {name} in {data_dir}: of {wanted} that has {errors.listed(sorted(found))}.')
  if len(configs) > 1:
    raise errors.UserError(f'{wanted} has several configs: name one, as in {_TFDS}{wanted}/{configs[0] or configs[1]}.')
  newest = max(fitting, key=lambda path: [int(part) for part in re.findall(r'\d+', os.path.basename(path))])
  return os.path.join(base, newest)


def part(path: str, name: str) -> str:
  """The folder of a part of a data set.

  Raises:
    UserError: if it can't have that name.
  """
  if not re.fullmatch(r'[\w.-]+', name):
    raise errors.UserError(f'A part of a data set is named {name!r}, and has to be made of letters, digits and _.-')
  return os.path.join(path, _PART + name)


def parts(path: str) -> List[str]:
  """The folders of the parts that a data set is in; none if it is not in parts."""
  return sorted(map(os.path.dirname, glob.glob(os.path.join(glob.escape(path), f'{_PART}*', INFO))))


def places(path: str) -> List[str]:
  """The folders in which the shards of a data set are: its own, or those of its parts."""
  return [path] if os.path.exists(os.path.join(path, INFO)) else parts(path) or [path]


def left_open(path: str) -> List[str]:
  """The files of shards that are no part of a data set yet: they are being written, or their writer was killed."""
  patterns = [os.path.join(glob.escape(place), f'*.tfrecord-*{OPEN}') for place in places(path)]
  return sorted(found for pattern in patterns for found in glob.glob(pattern))


def check(path: str) -> None:
  """Raises a `UserError` if a folder is missing or holds no data set; cheap, and imports no TensorFlow."""
  if os.path.isfile(path):
    raise errors.UserError(
      f'{path} is a file, and a data set is a folder: tfacme convert {path} --out DIR makes one of it.'
    )
  if not os.path.isdir(path):
    raise errors.UserError(f'There is no folder {path} to read a data set from.')
  if places(path) != [path]:
    return
  for name in (INFO, FEATURES):
    if not os.path.exists(os.path.join(path, name)):
      raise errors.UserError(f'The folder {path} is no RLDS data set: it has no {name}{_hint(path)}')


def _hint(path: str) -> str:
  """What may be meant by a folder that is no data set, as the end of a sentence: those in it, or a run's recording."""
  # `tfds` itself puts a data set into NAME/VERSION or NAME/CONFIG/VERSION.
  deeper = [os.path.join(glob.escape(path), *['*'] * depth, INFO) for depth in (1, 2, 3)]
  folders = [os.path.dirname(found) for pattern in deeper for found in sorted(glob.glob(pattern))]
  whole = [os.path.dirname(one) if os.path.basename(one).startswith(_PART) else one for one in folders]
  if whole:
    return f'; did you mean {" or ".join(list(dict.fromkeys(whole))[:3])}?'
  if not is_run(path):
    return '.'
  with open(os.path.join(path, _RUN), encoding='utf-8') as file:
    recording = json.load(file).get('record')
  if recording is not None:
    return f'; it is the folder of a run, whose recording is in {recording}.'
  return f'; it is the folder of a run, which recorded nothing: tfacme record --run {path} --out DIR does.'


def is_run(path: str) -> bool:
  """Whether a folder is that of a run."""
  return os.path.exists(os.path.join(path, _RUN))


def state(path: str) -> Tuple[Any, ...]:
  """What is another one as soon as one of the files of a data set is: of each its name and `_state`.

  Raises:
    UserError: if the folder is missing or holds no data set.
  """
  check(path)
  entries = [entry for place in places(path) for entry in os.scandir(place)]
  # What is being written is none of its files yet.
  files = [entry for entry in entries if entry.is_file() and not entry.name.endswith(OPEN)]
  return tuple(sorted((entry.path, _state(entry.stat())) for entry in files))


def _state(stat: os.stat_result) -> Tuple[int, ...]:
  """What is another one if a file is: which it is, how long, and when it was written."""
  return stat.st_ino, stat.st_size, stat.st_mtime_ns


def states(shards: Sequence[Shard]) -> Tuple[Optional[Tuple[int, ...]], ...]:
  """The `_state` of the file of each shard; None where there is none."""
  return tuple(_state(os.stat(one.path)) if os.path.exists(one.path) else None for one in shards)


def builder(path: str) -> Any:
  """The `tfds` builder of the data set in a folder.

  Raises:
    UserError: if the folder is missing or holds no data set.
  """
  check(path)
  import tensorflow_datasets as tfds

  found = places(path)
  if len(found) > 1:
    _check_alike(found)
    found = list(filter(_has_episodes, found)) or found[:1]
  try:
    return tfds.builder_from_directory(found[0]) if len(found) == 1 else tfds.builder_from_directories(found)
  except Exception as error:  # damaged JSON makes a dozen kinds of them
    raise errors.UserError(f'The folder {path} is no RLDS data set: {one_line(error)}') from None


def _check_alike(found: List[str]) -> None:
  """Raises a `UserError` if parts of a data set were written with other features than the first."""
  texts = [_text(os.path.join(place, FEATURES)) for place in found]
  for place, text in zip(found, texts):
    if text != texts[0]:
      raise errors.UserError(
        f'The parts {found[0]} and {place} of a data set have other fields ({FEATURES}), and are not read as one: name '
        'them as two data sets, or move one of them elsewhere.'
      )


def _has_episodes(place: str) -> bool:
  """Whether any shard is in a part of a data set."""
  return 'shardLengths' in _text(os.path.join(place, INFO))


def _text(path: str) -> str:
  with open(path, encoding='utf-8') as file:
    return file.read()


def holds(name: str) -> bool:
  """Whether a name is that of a data set as it is read: of one of `tfds`, or of a folder that has one."""
  return name.startswith(_TFDS) or any(os.path.exists(os.path.join(place, INFO)) for place in places(name))


def count(path: str, split: str = 'train') -> int:
  """The number of episodes that a folder has in a split of its data set; 0 if there is none."""
  if not holds(path):
    return 0
  splits = builder(path).info.splits
  return splits[split].num_examples if split in splits else 0


def shards(built: Any, path: str, split: str) -> List[Shard]:
  """The shards of a split, a part of one, or several: 'train', 'train[:10%]', 'train+test'.

  Raises:
    UserError: if there is no such split, if it is empty, or if it is not stored as TFRecords.
  """
  kind = _shard_kind(built.info, path)
  if not built.info.splits.total_num_examples:
    left = f'; tfacme data {path} --recover takes in what a killed recording has left' if left_open(path) else ''
    raise errors.UserError(f'The data set {path} is empty: it holds no whole shard of episodes{left}.')
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
  return [kind(str(p.filename), p.examples_in_shard, p.skip, p.take) for p in parts]


def _shard_kind(info: Any, path: str) -> Type[Shard]:
  """The class of the files of a data set."""
  if has_records(info):
    return Shard
  if info.file_format is not None and info.file_format.value == 'array_record':
    return ArrayShard
  name = getattr(info.file_format, 'value', info.file_format)
  raise errors.UserError(f'The data set {path} is stored as {name}, and has to be tfrecord or array_record.')


def has_records(info: Any) -> bool:
  """Whether a data set is stored as TFRecord files."""
  return info.file_format is not None and info.file_format.value == 'tfrecord'


def damaged(path: str, how: str) -> errors.UserError:
  """The error for a file of which something is wrong."""
  return errors.UserError(f'The shard {path} is damaged ({how}): copy it again from where it came from.')


def altered(path: str) -> errors.UserError:
  """The error for a file that is another one than when its data set was opened."""
  return errors.UserError(
    f'The shard {path} is not what it was when its data set was opened: leave the files alone while they are read, and '
    'start anew.'
  )


def _missing(path: str) -> errors.UserError:
  return errors.UserError(f'The shard {path} is missing: copy it again from where the data set came from.')


def unlike(path: str, how: str) -> errors.UserError:
  """The error for a file that is whole and does not hold what the data set says of it."""
  return errors.UserError(
    f'The shard {path} does not hold what {FEATURES} says: {how}; put the files together that were written together, '
    'or write the data set anew.'
  )


def one_line(error: BaseException) -> str:
  """What an error of a library says, in one line."""
  return ' '.join(str(error).split())[:300] or type(error).__name__


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
  try:
    file = os.open(path, os.O_RDONLY)
  except FileNotFoundError:
    raise _missing(path) from None
  try:
    yield file
  except records.Damage as damage:
    raise damaged(path, str(damage)) from None
  finally:
    os.close(file)
