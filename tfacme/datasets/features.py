"""How the rows of episodes lie in the columns of an RLDS data set.

RLDS keeps an episode as a nested data set of steps with the fields observation, action, reward, discount, is_first,
is_last and is_terminal; what a policy adds lies beside them in `extras`. Such a field may be a nest: of dicts, because
TensorFlow Datasets knows no other kind. A tuple or a list is stored as a dict with the keys '0', '1', ... (and such a
dict is read as a tuple), a named tuple as a dict with the names of its fields.

What has no column in the stream, because it is no number (text) or of no one shape, is left out, and it is known why.
"""

from __future__ import annotations

import dataclasses
import math
import zlib
from collections import abc
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

import numpy as np

from tfacme import core, errors, specs
from tfacme.datasets import ends, episodes, examples, metadata

_FLAT = 'ragged_flat_values'  # what `tfds` calls the values of sequences within steps
_COMPRESSION = 1  # writes frames three times as fast as zlib's default, in about a tenth more bytes


@dataclasses.dataclass(frozen=True)
class Column:
  """Where the values of one leaf lie, and as what.

  Attributes:
    name: of the column in the `tf.train.Example` of an episode: steps/observation/position.
    shape: of the leaf in one row; None where it is known of the values alone.
    stored: the type of the values in the file.
    dtype: the type of the values in the stream: the stored one in single precision.
    encoding: 'none' for numbers, 'bytes' or 'zlib' for byte strings, 'other' for what `decode_element` decodes.
    decode_element: from a stored value to its array.
    sequences: how many of the first sides of the shape are `Sequence`s in the file, whose lengths are stored.
  """

  name: str
  shape: Tuple[Optional[int], ...]
  stored: np.dtype
  dtype: np.dtype
  encoding: str
  decode_element: Optional[Callable[[Any], Any]] = None
  sequences: int = 0

  @property
  def is_cheap(self) -> bool:
    """Whether its values are numbers as they lie in the file, and not pictures to be unpacked."""
    return self.encoding == 'none' or self.dtype.kind == 'f'

  @property
  def stored_names(self) -> Tuple[str, ...]:
    """The names in a record of all that it is read of."""
    if not self.sequences:
      return (self.name,)
    return (f'{self.name}/{_FLAT}', *(_lengths(self.name, i) for i in range(self.sequences)))

  def encode(self, values: Any, rows: int) -> examples.Column:
    """Values [rows, *shape] as they are stored.

    Raises:
      UserError: if they are of another shape, of a type that does not become the stored one without harm, or beyond
        what that has.
    """
    values = np.asarray(values)
    dtype = episodes.single(values.dtype)
    if values.shape != (rows,) + self.shape or not np.can_cast(dtype, self.stored, 'same_kind'):
      raise errors.UserError(
        f'{self.name} is {dtype} {list(values.shape)} in an episode of {rows} rows, and has to be '
        f'{self.stored} {[rows, *self.shape]}.'
      )
    stored = _exactly(self.name, values, self.stored)
    if self.encoding == 'none':
      return stored
    return [zlib.compress(row.tobytes(), _COMPRESSION) for row in stored]

  def rows(self, example: Mapping[str, examples.Column]) -> Optional[int]:
    """How many rows an episode has, if this column can tell."""
    if self.sequences:
      return len(example[_lengths(self.name, 0)])
    values = example[self.name]
    if isinstance(values, list):
      return len(values)
    size = None if None in self.shape else math.prod(self.shape)  # type: ignore[arg-type]
    return len(values) // size if size else None

  @property
  def whole(self) -> Column:
    """The column of which no number is put into fewer bits than it has in the file."""
    return self if self.stored.kind == 'f' else dataclasses.replace(self, dtype=self.stored)

  @property
  def is_open(self) -> bool:
    """Whether its shape, or how many bits its numbers take, is known of the values alone."""
    return None in self.shape or self.dtype != self.whole.dtype

  def closed(self, example: Mapping[str, examples.Column], rows: int) -> Column:
    """The column with the shape that an episode with a row or more has, and a type that holds its numbers.

    Raises:
      ValueError: if it has not one shape.
    """
    column = self._with_shape(example, rows) if None in self.shape else self
    return column if self.dtype == self.whole.dtype or episodes.holds(self.dtype, self._flat(example)) else column.whole

  def _with_shape(self, example: Mapping[str, examples.Column], rows: int) -> Column:
    sides = [_one_length(self.name, example[_lengths(self.name, i)]) for i in range(self.sequences)]
    flat = self._flat(example)
    inner = self.shape[self.sequences :]
    if None in inner:
      elements = max(1, rows * math.prod(sides))
      if self.encoding == 'other':
        inner = flat.shape[1:]
      else:  # one side at the most; the serializer of `tfds` sees to that
        known = max(1, math.prod(side for side in inner if side is not None))
        inner = tuple(flat.size // elements // known if side is None else side for side in inner)
    return dataclasses.replace(self, shape=(*sides, *inner))

  def decode(self, example: Mapping[str, examples.Column], rows: int) -> np.ndarray:
    """The values of an episode as an array [rows, *shape].

    Raises:
      ValueError: if they are not values of this column, or not of so many rows.
      KeyError: if the column is not there.
      UserError: if they are larger than those of the first episode, of which the type was taken.
    """
    for i in range(self.sequences):
      lengths = example[_lengths(self.name, i)]
      if len(lengths) and _one_length(self.name, lengths) != self.shape[i]:
        raise ValueError(f'the column {self.name} has sequences of {lengths[0]}, and others of {self.shape[i]}')
    values = self._flat(example)
    if values.size != rows * math.prod(self.shape):  # type: ignore[arg-type]
      raise ValueError(f'the column {self.name} is not of {rows} rows of the shape {self.shape}')
    if values.dtype != self.dtype and not episodes.holds(self.dtype, values):
      reach = f'{self.name} reaches from {values.min()} to {values.max()} in an episode'
      if self.dtype == self.stored:
        raise ValueError(f'the column {reach}')
      raise errors.UserError(
        f'{reach}, and is read as {self.dtype}, which holds all numbers of the first one: leave the episode out, or '
        f'write the data set anew by datasets.RLDSWriter, with {self.stored} in its spec.'
      )
    return values.reshape((rows,) + self.shape).astype(self.dtype, copy=False)

  def _flat(self, example: Mapping[str, examples.Column]) -> np.ndarray:
    """The values one after the other; those of `decode_element` as [n, ...]."""
    values = example[f'{self.name}/{_FLAT}' if self.sequences else self.name]
    if not isinstance(values, list):
      return values
    if self.encoding == 'other':
      decoded = [self._decoded(value) for value in values]
      inner = self.shape[self.sequences :]
      shapes = {one.shape for one in decoded} | (set() if None in inner else {inner})
      if len(shapes) > 1:
        raise ValueError(f'the column {self.name} has pictures of several shapes: {sorted(shapes)}')
      return np.stack(decoded) if decoded else np.zeros((0,), self.stored)
    unpack = zlib.decompress if self.encoding == 'zlib' else bytes
    try:
      return np.frombuffer(bytearray().join(map(unpack, values)), self.stored)
    except zlib.error as error:
      raise ValueError(f'the column {self.name} does not decompress') from error

  def _decoded(self, value: bytes) -> np.ndarray:
    assert self.decode_element is not None
    try:
      return np.asarray(self.decode_element(value))
    except Exception as error:  # of OpenCV or PIL
      raise ValueError(f'the column {self.name} holds what is no picture') from error


def _exactly(name: str, values: np.ndarray, dtype: np.dtype) -> np.ndarray:
  """Values as an array of a type; raises a `UserError` if it has not all of them. Real numbers are rounded."""
  with np.errstate(over='ignore'):
    cast = np.ascontiguousarray(values, dtype)
  if values.dtype == dtype:
    return cast
  lost = np.isfinite(values) & ~np.isfinite(cast) if values.dtype.kind == 'f' else cast != values
  if lost.any():
    raise errors.UserError(
      f'{name} is {values[lost].flat[0]} in an episode, and the data set has {dtype}, which does not hold that: '
      'scale it, or give the writer a spec of a type that holds it.'
    )
  return cast


def _lengths(name: str, level: int) -> str:
  """The column with the lengths of the sequences of a column."""
  return f'{name}/ragged_row_lengths_{level}'


def _one_length(name: str, lengths: Any) -> int:
  """The length that all sequences of a column have."""
  if len(lengths) and (lengths != lengths[0]).any():
    raise ValueError(
      f'the column {name} has sequences of {lengths.min()} to {lengths.max()} values, and rows have one shape'
    )
  return int(lengths[0]) if len(lengths) else 0


def of_spec(spec: core.Step, episode_metadata: Optional[Mapping[str, Any]] = None) -> Any:
  """The features (a `tfds.features.FeaturesDict`) of a data set.

  Args:
    spec: of its rows.
    episode_metadata: {name: example value} of what is known of an episode; None is nothing.
  """
  import tensorflow_datasets as tfds

  def feature(field: str, leaf: Any) -> Any:
    dtype = episodes.in_single(leaf).dtype if isinstance(leaf, (np.ndarray, np.generic)) else specs.single_dtype(leaf)
    if dtype.kind not in 'biuf':
      raise errors.UserError(f'A data set holds numbers only, and {field} is of type {dtype}.')
    # As integers, frames would take a byte or two for each pixel, and a list of a million numbers to read.
    is_frame = dtype == np.uint8 and len(leaf.shape) >= 2
    return tfds.features.Tensor(shape=leaf.shape, dtype=dtype, encoding='zlib' if is_frame else 'none')

  def features(field: str, nest: Any) -> Any:
    if not isinstance(nest, dict):
      return feature(field, nest)
    return tfds.features.FeaturesDict({key: features(f'{field}/{key}', value) for key, value in nest.items()})

  fields = as_dicts({name: getattr(spec, name) for name in ends.FIELDS})
  named_leaves(fields)  # Says so if two have one name.
  steps = {name: features(name, nest) for name, nest in fields.items()}
  steps.update({name: tfds.features.Tensor(shape=(), dtype=np.bool_) for name in ends.FLAGS})
  told = {name: metadata.dtype(name, value) for name, value in (episode_metadata or {}).items()}
  scalars = {name: tfds.features.Scalar(dtype) if dtype else tfds.features.Text() for name, dtype in told.items()}
  return tfds.features.FeaturesDict({'steps': tfds.features.Dataset(steps), **scalars})


def columns(feature: Any, name: str, left_out: Dict[str, str], sequences: Tuple[Optional[int], ...] = ()) -> Any:
  """The nest of `Column`s of a feature; tuples where it holds stored ones. None if nothing of it is a number.

  Args:
    feature: of `tfds.features`.
    name: of it in an episode.
    left_out: takes {name: what it is} of what has no column.
    sequences: the lengths of the `Sequence`s within a step that it is in.
  """
  import tensorflow_datasets as tfds

  if isinstance(feature, tfds.features.FeaturesDict):
    nest = {key: columns(part, f'{name}/{key}', left_out, sequences) for key, part in feature.items()}
    nest = {key: part for key, part in nest.items() if part is not None}
    is_tuple = set(nest) == {str(i) for i in range(len(nest))}
    return (tuple(nest[str(i)] for i in range(len(nest))) if is_tuple else nest) or None
  if isinstance(feature, tfds.features.Sequence):
    return columns(feature.feature, name, left_out, (*sequences, feature._length))
  info = feature.get_tensor_info()
  why = _no_column(info, feature.get_serialized_info())
  if why:
    left_out[name] = why
    return None
  stored = np.dtype(info.np_dtype)
  encoding, decode = 'other', feature.decode_example_np
  if isinstance(feature, tfds.features.Tensor):
    encoding, decode = _encoding(feature), None
  shape = (*sequences, *info.shape)
  return Column(name, shape, stored, episodes.single(stored), encoding, decode, len(sequences))


def _no_column(info: Any, serialized: Any) -> str:
  """What a feature is that has no column; empty if it has one."""
  if isinstance(info, dict) or not hasattr(info, 'np_dtype'):
    return 'a feature of several parts'
  dtype = np.dtype(info.np_dtype)
  if dtype.kind in 'OSU':
    return 'text'
  if dtype.kind not in 'biuf':
    return f'of type {dtype.name}'
  if isinstance(serialized, dict) or info.sequence_rank:
    return f'of the shape {tuple(info.shape)}, which varies'
  return ''


def as_dicts(nest: core.Nest) -> core.Nest:
  """A nest of dicts alone, as it is stored: without its empty parts, which `tfds` can't read."""
  if hasattr(nest, '_asdict'):
    nest = nest._asdict()
  if isinstance(nest, (tuple, list)):
    nest = {str(i): value for i, value in enumerate(nest)}
  if not isinstance(nest, abc.Mapping):
    return nest
  stored = {str(key): as_dicts(value) for key, value in nest.items()}
  return {key: value for key, value in stored.items() if not isinstance(value, dict) or value}


def named_leaves(nest: core.Nest, name: str = 'steps') -> Dict[str, Any]:
  """{name of its column: leaf} of a nest; raises a `UserError` if two have one name."""

  def walk(stored: Any, name: str) -> None:
    if not isinstance(stored, dict):
      if name in leaves:
        raise errors.UserError(
          f'Two parts of a row would be stored as {name}, because a name has a / in it: rename one of the two.'
        )
      leaves[name] = stored
      return
    for key, value in stored.items():
      walk(value, f'{name}/{key}')

  leaves: Dict[str, Any] = {}
  walk(as_dicts(nest), name)
  return leaves


def describe(feature: Any, name: str = '') -> Dict[str, str]:
  """{field: its type and shape, in words} for each leaf of the features of a step."""
  import tensorflow_datasets as tfds

  if isinstance(feature, tfds.features.FeaturesDict):
    parts = [describe(part, f'{name}/{key}' if name else key) for key, part in feature.items()]
    return {key: words for part in parts for key, words in part.items()}
  if not isinstance(feature, tfds.features.Tensor):
    return {name: repr(feature)}
  if np.dtype(feature.np_dtype).kind in 'OSU':
    return {name: 'text'}
  how = _encoding(feature)
  words = f'{np.dtype(feature.np_dtype).name} {list(feature.shape)}'
  return {name: words if how == 'none' else f'{words} ({how})'}


def metadata_kinds(all_features: Any) -> Dict[str, str]:
  """The metadata of the episodes of a data set of these features; see `describe`."""
  parts = [describe(part, name) for name, part in all_features.items() if name != 'steps']
  return {key: words for part in parts for key, words in part.items()}


def _encoding(feature: Any) -> str:
  """How a `tfds.features.Tensor` is stored; its class tells it in no other way than in its description."""
  return getattr(feature.to_json_content(), 'encoding', None) or 'none'
