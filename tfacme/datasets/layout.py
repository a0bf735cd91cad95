"""How the episodes of one data set are read: which columns its records have, and what they are in the stream."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
from typing import Any, Dict, FrozenSet, Iterator, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import tree
from dm_env import specs as dm_specs

from tfacme import core, errors, specs
from tfacme.datasets import ends, examples, features, folder, lacking
from tfacme.datasets.options import Options

_STEPS = 'steps'

Example = Mapping[str, examples.Column]  # the columns of a record, by their names


class Recorded(NamedTuple):
  """An episode as it lies in a data set.

  Attributes:
    number: of the episode, in the order of the files.
    steps: a `core.Step` with leaves [T + 1, ...].
    metadata: {name: value} of an episode; text as a string.
  """

  number: int
  steps: core.Step
  metadata: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Layout:
  """Which columns a data set has.

  Attributes:
    name: what the data set is called in sentences.
    fields: {field of a step: nest of `features.Column`}; observation, action and extras are always there.
    flags: {is_first, is_last, is_terminal: column}, those that there are.
    metadata: {name: column} of what is known of an episode, None for text.
    left_out: {name in the step: what it is} of what no column is read of, such as text.
    options: what the files leave open.
  """

  name: str
  fields: Mapping[str, Any]
  flags: Mapping[str, features.Column]
  metadata: Mapping[str, Optional[features.Column]]
  left_out: Mapping[str, str]
  options: Options

  @functools.cached_property
  def leaves(self) -> Dict[str, features.Column]:
    """The columns of all leaves of a row, by their paths, and the flags."""
    found = dict(self.flags)
    for field, nest in self.fields.items():
      for path, column in tree.flatten_with_path(nest):
        found['/'.join(map(str, (field, *path)))] = column
    return found

  @functools.cached_property
  def _nested(self) -> Mapping[str, Sequence[str]]:
    """The paths of the leaves of each field that may be a nest."""
    return {field: list(specs.paths({field: self.fields[field]})) for field in ('observation', 'action', 'extras')}

  @property
  def lacks(self) -> Tuple[str, ...]:
    """What of a row the data do not say: 'reward', or the 'discount', so how episodes end."""
    return ends.lacks({*self.flags, *self.fields}, self.options)

  @property
  def is_open(self) -> bool:
    """Whether a shape or a type is known of the values alone."""
    return any(column.is_open for column in self.leaves.values())

  def closed(self, example: Example, path: str) -> Optional[Layout]:
    """The layout with the shapes and types that an episode has; None if it has no row."""
    with decoding(path):
      rows = self._rows({}, example)
      if not rows:
        return None
      closed = lambda column: column.closed(example, rows)
      return dataclasses.replace(self, fields={n: tree.map_structure(closed, nest) for n, nest in self.fields.items()})

  def spec(self) -> core.Step:
    """The spec of one row."""
    array = lambda column: dm_specs.Array(column.shape, column.dtype)
    nests = {name: tree.map_structure(array, self.fields[name]) for name in ('observation', 'action', 'extras')}
    shapes = {name: self.fields[name].shape if name in self.fields else () for name in ('reward', 'discount')}
    flag = dm_specs.Array((), np.bool_)
    return core.Step(
      reward=dm_specs.Array(shapes['reward'], np.float32, 'reward'),
      discount=dm_specs.Array(shapes['discount'], np.float32, 'discount'),
      first=flag,
      last=flag,
      **nests,
    )

  def read(self, example: Example, path: str, cheap: bool = False) -> Optional[Dict[str, np.ndarray]]:
    """The leaves of an episode as they were recorded, with its flags; None if it has no row.

    Args:
      example: the columns of a record.
      path: of the file that it is from.
      cheap: whether what is stored as pictures is passed over.
    """
    return self._decoded(
      {n: column for n, column in self.leaves.items() if column.is_cheap or not cheap}, example, path
    )

  def outline(self, example: Example, path: str) -> Optional[Dict[str, np.ndarray]]:
    """As `read`, of those leaves that say how long an episode is, how it ends and what it returned."""
    return self._decoded(self._outlined, example, path) if self._outlined else self.read(example, path, cheap=True)

  @functools.cached_property
  def outline_names(self) -> Optional[FrozenSet[str]]:
    """The names in a record of what `outline` and `metadata_of` take; None is all of them."""
    stored = [name for column in self._outlined.values() for name in column.stored_names]
    return frozenset([*stored, *self.metadata]) if stored else None

  @functools.cached_property
  def _outlined(self) -> Mapping[str, features.Column]:
    return {name: self.leaves[name] for name in ('reward', 'discount', *ends.FLAGS) if name in self.leaves}

  def settled(self, leaves: Mapping[str, np.ndarray], number: int) -> Optional[Dict[str, np.ndarray]]:
    """Those leaves as they are in the stream, or None; see `ends.settle`."""
    rows = len(next(iter(leaves.values())))
    return ends.settle(leaves, rows, self.options, f'episode {number} of {self.name}')

  def step(self, leaves: Mapping[str, np.ndarray]) -> core.Step:
    """An episode of the leaves as they are in the stream."""
    rows = len(leaves['discount'])
    nests = {
      field: tree.unflatten_as(self.fields[field], [leaves[path] for path in paths])
      for field, paths in self._nested.items()
    }
    return core.Step(
      reward=leaves['reward'],
      discount=leaves['discount'],
      first=np.arange(rows) == 0,
      last=np.arange(rows) == rows - 1,
      **nests,
    )

  def metadata_of(self, example: Example, path: str) -> Dict[str, Any]:
    """The metadata of an episode."""
    with decoding(path):
      return {name: _plain(column, example[name]) for name, column in self.metadata.items() if name in example}

  def _decoded(
    self, columns: Mapping[str, features.Column], example: Example, path: str
  ) -> Optional[Dict[str, np.ndarray]]:
    with decoding(path):
      rows = self._rows(columns, example)
      return {name: column.decode(example, rows) for name, column in columns.items()} if rows else None

  def _rows(self, columns: Mapping[str, features.Column], example: Example) -> int:
    """How many rows an episode has; these columns are asked first."""
    counts = (column.rows(example) for column in itertools.chain(columns.values(), self.leaves.values()))
    rows = next((count for count in counts if count is not None), None)
    if rows is None:
      raise ValueError('no column says how many rows there are')
    return rows


def of_features(all_features: Any, name: str, options: Options, is_own: bool = False) -> Layout:
  """The layout of a data set with these features (a `tfds.features.FeaturesDict`).

  Args:
    all_features: of the data set.
    name: what it is called in sentences.
    options: how it is read.
    is_own: whether `RLDSWriter` wrote it, so that whole numbers are read in the type that they were given there.

  Raises:
    UserError: if it is none of steps, or has no observation or action that is a number.
  """
  import tensorflow_datasets as tfds

  has_steps = isinstance(all_features, tfds.features.FeaturesDict) and _STEPS in all_features
  steps = all_features[_STEPS] if has_steps else None
  inner = getattr(steps, 'feature', None)
  if not isinstance(steps, tfds.features.Sequence) or not isinstance(inner, tfds.features.FeaturesDict):
    raise errors.UserError(f'{_capital(name)} is no RLDS data set: its episodes have no steps.')
  left_out: Dict[str, str] = {}
  nests = {}
  for field in (*ends.FIELDS, *ends.FLAGS):
    nest = features.columns(inner[field], f'{_STEPS}/{field}', left_out) if field in inner else None
    nest = _renamed(nest, _names(options, field), inner, left_out)
    if nest is not None:
      nests[field] = nest if field in ('observation', 'action', 'extras') else _single(nest, name, field)
    elif field in ('observation', 'action') and field in inner:
      what = left_out.get(f'{_STEPS}/{field}', 'not a number')
      raise errors.UserError(f'{_capital(name)} can not be learned from: its {field} is {what}.')
  lacking.check_steps(nests, sorted(inner.keys()), options, name)
  flags = {field: nests.pop(field) for field in ends.FLAGS if field in nests}
  if is_own:
    nests = {field: tree.map_structure(lambda column: column.whole, nest) for field, nest in nests.items()}
  metadata = dict(pair for key, part in all_features.items() if key != _STEPS for pair in _metadata(part, key))
  said = {key.partition('/')[2]: what for key, what in left_out.items()}
  return Layout(name, {'extras': (), **nests}, flags, metadata, said, options)


def _single(nest: Any, name: str, field: str) -> features.Column:
  if not isinstance(nest, features.Column):
    names = errors.listed(f'{field}/{"/".join(map(str, path))}' for path, _ in tree.flatten_with_path(nest))
    fix = '; say which by --dataset.reward' if field == 'reward' else ''
    raise errors.UserError(f'In {name} the {field} of a step has the parts {names}, and has to be one field{fix}.')
  return nest


def _names(options: Options, field: str) -> Tuple[str, ...]:
  """PART=FIELD of the parts of a field that lie elsewhere in a step, or FIELD."""
  if field == 'reward':
    return (options.reward,) if options.reward is not None else ()
  return getattr(options, field) if field in ('observation', 'action') else ()


def _renamed(nest: Any, names: Tuple[str, ...], inner: Any, left_out: Dict[str, str]) -> Any:
  """The nest of columns of a field, with those under other names that options say, in the place of their own."""
  more = {}
  for one in names:
    part, equals, path = one.rpartition('=')
    found = features.columns(_feature(inner, path), f'{_STEPS}/{path}', left_out)
    if found is None:
      raise errors.UserError(f'The field {path} of a step is {left_out.get(f"{_STEPS}/{path}", "no number")}.')
    if not equals:
      return found
    more[part] = found
  if not more:
    return nest
  moved = {column.name for column in tree.flatten(more)}
  own = {} if nest is None or isinstance(nest, features.Column) else tree.flatten_with_path(nest)
  kept = {'/'.join(map(str, path)): column for path, column in own or () if column.name not in moved}
  return {**kept, **more}


def _feature(inner: Any, path: str) -> Any:
  """The feature at a path in a step."""
  import tensorflow_datasets as tfds

  found = inner
  for name in path.split('/'):
    if not isinstance(found, tfds.features.FeaturesDict) or name not in found:
      known = [key for key, _ in tree.flatten_with_path(_paths(inner))]
      raise errors.unknown('field in a step', path, ['/'.join(key) for key in known], 'tfacme data DIR lists them.')
    found = found[name]
  return found


def _paths(feature: Any) -> Any:
  """A nest of the names of a feature's parts."""
  import tensorflow_datasets as tfds

  if not isinstance(feature, tfds.features.FeaturesDict):
    return 0
  return {name: _paths(part) for name, part in feature.items()}


@contextlib.contextmanager
def decoding(path: str) -> Iterator[None]:
  """Turns what is wrong with an episode's columns into a `UserError` that names the file."""
  try:
    yield
  except errors.UserError:
    raise
  except KeyError as error:
    raise folder.unlike(path, f'an episode has no column {error.args[0]}') from None
  except ValueError as error:
    raise folder.unlike(path, str(error)) from None


def _metadata(feature: Any, name: str) -> Iterator[Tuple[str, Optional[features.Column]]]:
  """(name, column, or None for text) of each number and text in the metadata; pictures and sequences are not read."""
  import tensorflow_datasets as tfds

  if isinstance(feature, tfds.features.FeaturesDict):
    for key, part in feature.items():
      yield from _metadata(part, f'{name}/{key}')
  elif isinstance(feature, tfds.features.Tensor) and np.dtype(feature.np_dtype).kind in 'OSU':
    yield name, None
  elif isinstance(feature, tfds.features.Tensor) and None not in feature.shape:
    column = features.columns(feature, name, {})
    # Seeds and times may have more digits than single precision.
    yield name, column and dataclasses.replace(column, dtype=column.stored)


def _plain(column: Optional[features.Column], values: Any) -> Any:
  """A value of the metadata, as a string, a number or an array."""
  if column is not None:
    return column.decode({column.name: values}, 1)[0][()]
  texts = [value.decode('utf-8', 'replace') for value in values]
  return texts[0] if len(texts) == 1 else texts


def _capital(name: str) -> str:
  return name[:1].upper() + name[1:]
