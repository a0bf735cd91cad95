"""How the rows of episodes lie in the columns of an RLDS data set.

RLDS keeps an episode as a nested data set of steps with the fields observation, action, reward, discount, is_first,
is_last and is_terminal; what a policy adds lies beside them in `extras`. Such a field may be a nest: of dicts, because
TensorFlow Datasets knows no other kind. A tuple or a list is stored as a dict with the keys '0', '1', ... (and such a
dict is read as a tuple), a named tuple as a dict with the names of its fields.
"""

from __future__ import annotations

import dataclasses
import math
import zlib
from collections import abc
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from tfacme import core, errors
from tfacme.datasets import episodes, examples

FIELDS = ('observation', 'action', 'reward', 'discount', 'extras')
FLAGS = ('is_first', 'is_last', 'is_terminal')
_COMPRESSION = 1  # writes frames three times as fast as zlib's default, in about a tenth more bytes


@dataclasses.dataclass(frozen=True)
class Column:
  """Where the values of one leaf lie, and as what.

  Attributes:
    name: of the column in the `tf.train.Example` of an episode: steps/observation/position.
    shape: of the leaf in one row.
    stored: the type of the values in the file.
    dtype: the type of the values in the stream: the stored one in single precision.
    encoding: 'none' for numbers, 'bytes' or 'zlib' for a byte string each row, 'other' for what `decode_row` decodes.
    decode_row: from the stored value of one row to its array.
  """

  name: str
  shape: Tuple[int, ...]
  stored: np.dtype
  dtype: np.dtype
  encoding: str
  decode_row: Optional[Callable[[Any], Any]] = None

  def encode(self, values: Any, rows: int) -> examples.Column:
    """Values [rows, *shape] as they are stored.

    Raises:
      UserError: if they are of another shape, or of a type that does not become the stored one without harm.
    """
    values = np.asarray(values)
    dtype = episodes.single(values.dtype)
    if values.shape != (rows,) + self.shape or not np.can_cast(dtype, self.stored, 'same_kind'):
      raise errors.UserError(
        f'{self.name} is {dtype} {list(values.shape)} in an episode of {rows} rows, and has to be '
        f'{self.stored} {[rows, *self.shape]}.'
      )
    values = np.ascontiguousarray(values, self.stored)
    if self.encoding == 'none':
      return values
    return [zlib.compress(row.tobytes(), _COMPRESSION) for row in values]

  def decode(self, values: examples.Column, rows: int) -> np.ndarray:
    """Stored values as an array [rows, *shape].

    Raises:
      ValueError: if they are not values of this column, or not of so many rows.
    """
    if isinstance(values, list):
      values = self._decode_bytes(values)
    if values.size != rows * math.prod(self.shape):
      raise ValueError(f'the column {self.name} is not of {rows} rows of the shape {self.shape}')
    return values.reshape((rows,) + self.shape).astype(self.dtype, copy=False)

  def _decode_bytes(self, values: Any) -> np.ndarray:
    if self.encoding == 'other':
      assert self.decode_row is not None
      return np.stack([self.decode_row(value) for value in values])
    if self.encoding == 'none':
      return np.array(values, object)  # text
    unpack = zlib.decompress if self.encoding == 'zlib' else bytes
    try:
      return np.frombuffer(bytearray().join(map(unpack, values)), self.stored)
    except zlib.error as error:
      raise ValueError(f'the column {self.name} does not decompress') from error


def of_spec(spec: core.Step) -> Any:
  """The features (a `tfds.features.FeaturesDict`) of a data set of rows of a spec."""
  import tensorflow_datasets as tfds

  def feature(field: str, leaf: Any) -> Any:
    dtype = episodes.single(leaf.dtype)
    if dtype.kind not in 'biuf':
      raise errors.UserError(f'A data set holds numbers only, and {field} is of type {dtype}.')
    # As integers, frames would take a byte or two for each pixel, and a list of a million numbers to read.
    is_frame = dtype == np.uint8 and len(leaf.shape) >= 2
    return tfds.features.Tensor(shape=leaf.shape, dtype=dtype, encoding='zlib' if is_frame else 'none')

  def features(field: str, nest: Any) -> Any:
    if not isinstance(nest, dict):
      return feature(field, nest)
    return tfds.features.FeaturesDict({key: features(f'{field}/{key}', value) for key, value in nest.items()})

  fields = as_dicts({name: getattr(spec, name) for name in FIELDS})
  steps = {name: features(name, nest) for name, nest in fields.items()}
  steps.update({name: tfds.features.Tensor(shape=(), dtype=np.bool_) for name in FLAGS})
  return tfds.features.FeaturesDict({'steps': tfds.features.Dataset(steps)})


def columns(feature: Any, name: str) -> Any:
  """The nest of `Column`s of a feature; tuples where it holds stored ones.

  Raises:
    UserError: if there is a feature that has no fixed shape.
  """
  import tensorflow_datasets as tfds

  if isinstance(feature, tfds.features.FeaturesDict):
    nest = {key: columns(part, f'{name}/{key}') for key, part in feature.items()}
    is_tuple = set(nest) == {str(i) for i in range(len(nest))}
    return tuple(nest[str(i)] for i in range(len(nest))) if is_tuple else nest
  info = feature.get_tensor_info()
  if not isinstance(info, tfds.features.TensorInfo) or info.sequence_rank or None in info.shape:
    raise errors.UserError(f'Rows have fixed shapes, and in this data set {name} is {feature}.')
  stored = np.dtype(info.np_dtype)
  encoding, decode_row = 'other', feature.decode_example_np
  if isinstance(feature, tfds.features.Tensor):
    encoding, decode_row = _encoding(feature), None
  return Column(name, tuple(info.shape), stored, episodes.single(stored), encoding, decode_row)


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
  """{name of its column: leaf} of a nest."""

  def walk(stored: Any, name: str) -> None:
    if not isinstance(stored, dict):
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
  how = _encoding(feature)
  words = f'{np.dtype(feature.np_dtype).name} {list(feature.shape)}'
  return {name: words if how == 'none' else f'{words} ({how})'}


def _encoding(feature: Any) -> str:
  """How a `tfds.features.Tensor` is stored; its class tells it in no other way than in its description."""
  return getattr(feature.to_json_content(), 'encoding', None) or 'none'
