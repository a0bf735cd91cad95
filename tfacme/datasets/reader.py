"""Reading RLDS data sets: episodes of any `tfds` data set of steps, one at a time and in any order."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from typing import Any, Iterator, List, Optional, Tuple

import numpy as np
import tree
from dm_env import specs as dm_specs

from tfacme import core, errors
from tfacme.datasets import episodes, examples, features, folder

_LEARNED = ('observation', 'action', 'reward', 'discount')
_NEEDED = ('observation', 'action', 'reward', 'is_terminal')


@dataclasses.dataclass(frozen=True)
class RLDS:
  """A data set in a folder; see `rlds`."""

  path: str
  split: str = 'train'

  def __post_init__(self):
    # An environment may go to another folder. No field: a data set is called by the path that was given.
    object.__setattr__(self, '_folder', os.path.abspath(os.path.expanduser(self.path)))

  def episodes(self, seed: int = 0) -> Iterator[core.Step]:
    """One pass over all episodes, in an order that is a function of the seed.

    All episodes are shuffled, whatever file they lie in, and decoded one by one. Checksums are compared in
    `check` alone.

    Raises:
      UserError: if a file is missing, or if it does not hold what the folder says.
    """
    columns, shards = self._open()
    places = [shard.places() for shard in shards]
    which = np.repeat(np.arange(len(shards)), [len(offsets) for offsets, _ in places])
    offsets, lengths = np.concatenate(places, axis=1)
    for i in np.random.default_rng(seed).permutation(len(which)):
      shard = shards[which[i]]
      step = _read(columns, shard, int(offsets[i]), int(lengths[i]))
      if step is not None:
        yield step

  def spec(self) -> core.Step:
    """The spec of one row."""
    columns, _ = self._open()
    flag = dm_specs.Array((), np.bool_)
    fields = {
      name: tree.map_structure(lambda column: dm_specs.Array(column.shape, column.dtype), columns[name])
      for name in ('observation', 'action', 'extras')
    }
    reward = columns['reward']
    discount = columns.get('discount', columns['is_terminal'])
    return core.Step(
      reward=dm_specs.Array(reward.shape, np.float32, 'reward'),
      discount=dm_specs.Array(discount.shape, np.float32, 'discount'),
      first=flag,
      last=flag,
      **fields,
    )

  def check(self) -> None:
    """Reads every file once, compares all checksums, and decodes an episode of each and the real numbers of all.

    Raises:
      UserError: if the folder or a shard is missing, is no RLDS data set, is empty, cut or altered, or holds a NaN.
    """
    columns, shards = self._open()
    number = 0
    for shard in shards:
      offsets, lengths = shard.places()
      shard.verify()
      for offset, length in zip(offsets[:1], lengths[:1]):
        _read(columns, shard, int(offset), int(length))
      for offset, length in zip(offsets, lengths):
        _check_numbers(columns, shard, int(offset), int(length), f'episode {number} of the data set {self.path}')
        number += 1

  def _open(self) -> Tuple[Any, List[folder.Shard]]:
    path: str = self._folder  # type: ignore[attr-defined]
    builder = folder.builder(path)
    return _columns(builder.info.features, path), folder.shards(builder, path, self.split)


def rlds(path: str, split: str = 'train') -> RLDS:
  """The RLDS data set in a folder, whoever wrote it.

  Values are in single precision, as those of environments are. A reward belongs to the observation and action of its
  own row. Whether an episode was terminated or truncated is taken from `is_terminal`, because many data sets close
  with a discount of zero in either case: the last transition of a truncated episode keeps a discount of one. Of the
  additional fields of a step, `extras` is read, and no other.

  Args:
    path: the folder with `features.json`.
    split: of the data set, or a part of one, such as 'train[:10%]'.
  """
  return RLDS(os.fspath(path), split)


def _columns(all_features: Any, path: str) -> Any:
  """{field: nest of columns} of the features of a data set."""
  import tensorflow_datasets as tfds

  if 'steps' not in all_features or not isinstance(all_features['steps'], tfds.features.Dataset):
    raise errors.UserError(f'The data set {path} is no RLDS data set: its episodes have no steps.')
  steps = all_features['steps'].feature
  for name in _NEEDED:
    if name not in steps:
      raise errors.UserError(f'The data set {path} is no RLDS data set: its steps have no {name}.')
  names = [name for name in (*_NEEDED, 'discount', 'is_last', 'extras') if name in steps]
  return {'extras': (), **{name: features.columns(steps[name], f'steps/{name}') for name in names}}


def _read(columns: Any, shard: folder.Shard, offset: int, length: int) -> Optional[core.Step]:
  """One episode, or None if it has no transition: there is nothing to learn from a final observation alone."""
  data = shard.read(offset, length)
  with _decoding(shard):
    example = examples.decode(data)
    rows = len(example['steps/is_terminal'])
    if rows < 2:
      return None
    flat = [column.decode(example[column.name], rows) for column in tree.flatten(columns)]
    return _step(tree.unflatten_as(columns, flat), rows)


def _check_numbers(columns: Any, shard: folder.Shard, offset: int, length: int, where: str) -> None:
  """Raises a `UserError` if an episode holds a NaN where something is learned from; does not decompress frames."""
  data = shard.read(offset, length)
  with _decoding(shard):
    example = examples.decode(data)
    rows = len(example['steps/is_terminal'])
    for field in _LEARNED:
      for column in tree.flatten(columns.get(field, ())):
        if column.dtype.kind == 'f' and column.encoding == 'none':
          values = column.decode(example[column.name], rows)
          # What else the row of the final observation has means nothing.
          episodes.check_finite(column.name.partition('/')[2], values if field == 'observation' else values[:-1], where)


@contextlib.contextmanager
def _decoding(shard: folder.Shard) -> Iterator[None]:
  """Turns what is wrong with an episode's columns into a `UserError`."""
  try:
    yield
  except errors.UserError:
    raise
  except KeyError as error:
    raise folder.damaged(shard.path, f'an episode has no column {error.args[0]}') from None
  except ValueError as error:
    raise folder.damaged(shard.path, f'an episode is not what {folder.FEATURES} says: {error}') from None


def _step(values: Any, rows: int) -> core.Step:
  """An episode as RLDS stores it, as one of the stream: the row of the final observation has an end of its own."""
  last = np.arange(rows) == rows - 1
  if values.get('is_last', last)[:-1].any():
    raise ValueError('it continues after a step that is the last')
  terminal = values['is_terminal'].astype(bool)
  reward = values['reward'].astype(np.float32)
  discount = values['discount'].astype(np.float32) if 'discount' in values else np.ones(rows, np.float32)
  discount[:-1][terminal[1:]] = 0
  if not terminal[-1] and not discount[-2].any():
    discount[-2] = 1
  for leaf in tree.flatten((values['action'], reward, discount)):
    leaf[-1] = 0
  return core.Step(
    observation=values['observation'],
    action=values['action'],
    reward=reward,
    discount=discount,
    first=np.arange(rows) == 0,
    last=last,
    extras=values['extras'],
  )
