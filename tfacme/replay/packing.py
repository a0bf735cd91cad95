"""Rows as bytes: one layout for both replay back ends, for recorded data, and for the learner's input.

A row of the stream has many small leaves. Moving each by itself costs more than the learning step of a small network,
so the leaves of a row are packed into a few columns of bytes: one for the observation, of which n-step items keep only
the ends, one for what a sequence keeps only once, and one for the rest. The learner takes the columns as they are and
unpacks them inside its graph.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import tree

from tfacme import core, errors
from tfacme.replay.items import Items

RECORDED = -(2**63)  # in the place of the version of the variables that acted, in rows of recorded data
_ALIGNMENT = 8  # bytes; no leaf is wider


class _Leaf(NamedTuple):
  """Where a leaf lies in a packed row."""

  offset: int  # bytes
  end: int  # bytes
  size: int  # numbers
  shape: Tuple[int, ...]
  dtype: np.dtype


class Layout:
  """How a nest of fixed shapes lies in a row of bytes; leaves of one type lie together."""

  def __init__(self, spec: core.Nest, name: str = ''):
    """Args: name: of what it lays out, for errors; its parts are named by their paths."""
    self._spec = spec
    leaves = [(tuple(s.shape), np.dtype(s.dtype).newbyteorder('=')) for s in tree.flatten(spec)]
    for (path, _), (_, dtype) in zip(tree.flatten_with_path(spec), leaves):
      if dtype.kind not in 'biuf' or dtype.itemsize > _ALIGNMENT:
        what = '/'.join(filter(None, [name, *map(str, path)])) or 'array'
        raise errors.UserError(f'Replay holds numbers only, and the {what} is of type {dtype.name}.')
    order = sorted(range(len(leaves)), key=lambda i: (-leaves[i][1].itemsize, leaves[i][1].str, i))
    self._leaves: List[Any] = [None] * len(leaves)
    self._groups: List[List[int]] = []  # leaves of one type, in the order in which they lie
    offset = 0
    for i in order:
      shape, dtype = leaves[i]
      if self._groups and self._leaves[self._groups[-1][0]].dtype == dtype:
        self._groups[-1].append(i)
      else:
        self._groups.append([i])
      size = int(np.prod(shape, dtype=np.int64))
      self._leaves[i] = _Leaf(offset, offset + size * dtype.itemsize, size, shape, dtype)
      offset = self._leaves[i].end
    self.bytes = max(_ALIGNMENT, -(-offset // _ALIGNMENT) * _ALIGNMENT)

  def views(self, rows: np.ndarray) -> core.Nest:
    """The nest [..., *shape] that lies in rows of bytes [..., bytes], as views: to read and to write."""
    return tree.unflatten_as(self._spec, self.flat_views(rows))

  def flat_views(self, rows: np.ndarray) -> List[np.ndarray]:
    """The leaves of `views`, in the order of the flattened spec."""
    return [
      rows[..., leaf.offset : leaf.end].view(leaf.dtype).reshape(rows.shape[:-1] + leaf.shape) for leaf in self._leaves
    ]

  def record(self, names: Sequence[str]) -> np.dtype:
    """The type of a row as a record of its leaves, by these names in the order of the flattened spec."""
    fields = {name: (leaf.dtype, leaf.offset) for name, leaf in zip(names, self._leaves)}
    return np.dtype(
      {
        'names': list(fields),
        'formats': [dtype for dtype, _ in fields.values()],
        'offsets': [offset for _, offset in fields.values()],
        'itemsize': self.bytes,
      }
    )

  def offset(self, *path: Any) -> int:
    """Where a leaf begins in a row, in bytes."""
    paths = [found for found, _ in tree.flatten_with_path(self._spec)]
    return self._leaves[paths.index(path)].offset

  def unpack(self, rows: Any) -> core.Nest:
    """The nest [..., *shape] that lies in a uint8 tensor [..., bytes], in a TensorFlow graph."""
    import tensorflow as tf

    lead = [size or tf.shape(rows)[axis] for axis, size in enumerate(rows.shape[:-1])]
    flat: List[Any] = [None] * len(self._leaves)
    for group in self._groups:
      leaves = [self._leaves[i] for i in group]
      values = _bitcast(rows[..., leaves[0].offset : leaves[-1].end], leaves[0].dtype, lead)
      parts = tf.split(values, [leaf.size for leaf in leaves], axis=-1) if len(group) > 1 else [values]
      for i, leaf, part in zip(group, leaves, parts):
        flat[i] = tf.reshape(part, [*lead, *leaf.shape])
    return tree.unflatten_as(self._spec, flat)


def _bitcast(values: Any, dtype: np.dtype, lead: Sequence[Any]) -> Any:
  """uint8 [..., n * itemsize] as [..., n] of a type."""
  import tensorflow as tf

  if dtype == np.bool_:
    return tf.cast(values, tf.bool)
  if dtype == np.uint8:
    return values
  if dtype.itemsize > 1:
    values = tf.reshape(values, [*lead, -1, dtype.itemsize])
  return tf.bitcast(values, tf.as_dtype(dtype))


INFO = Layout(
  {
    'key': np.zeros((), np.uint64),
    'probability': np.zeros((), np.float32),
    'table_size': np.zeros((), np.int64),
    'now': np.zeros((), np.int64),  # learner steps when the batch was read
    'source': np.zeros((), np.int32),
  }
)
_INFO_NAMES = ('key', 'now', 'probability', 'source', 'table_size')  # in the order of the flattened nest
_INFO_RECORD = INFO.record(_INFO_NAMES)


class Codec:
  """Packs the rows of a stream into columns of bytes, and unpacks batches of items.

  Attributes:
    columns: name -> Layout.
    step_spec: the spec of one row.
    stack: of how many frames items may have their observations made. If that is more than 1, whoever writes a row says
      in it how many frames of its episode came before (`mark`).
  """

  def __init__(self, step_spec: core.Step, once: Sequence[str] = (), stack: int = 1):
    self.step_spec = step_spec
    self.stack = stack
    extras = step_spec.extras
    missing = [name for name in once if not (isinstance(extras, Mapping) and name in extras)]
    if missing:
      raise errors.UserError(f'Items keep {missing} once, but the policy gives no such extras.')
    self._once = tuple(once)
    rest = {name: getattr(step_spec, name) for name in ('action', 'reward', 'discount', 'first', 'last')}
    rest['extras'] = {k: v for k, v in extras.items() if k not in once} if once else extras
    rest['version'] = np.zeros((), np.int64)  # of the variables that acted, or RECORDED
    if stack > 1:
      rest['past'] = np.zeros((), np.uint8)  # frames of the episode before this one, at most stack - 1
    self.columns: Dict[str, Layout] = {
      'observation': Layout(step_spec.observation, 'observation'),
      'rest': Layout(rest),
    }
    # A column each: a table may keep one of them once and another one in all rows.
    self.columns.update({f'once/{name}': Layout({name: extras[name]}, 'extras') for name in once})
    self._past = self.columns['rest'].offset('past') if stack > 1 else None

  @classmethod
  def of(cls, step_spec: core.Step, items: Sequence[Items]) -> Codec:
    """The codec of a stream from which all of `items` are cut."""
    once = sorted({name for rule in items for name in rule.once})
    return cls(step_spec, once, max((rule.stack for rule in items), default=1))

  def rows(self, count: int) -> Dict[str, np.ndarray]:
    """Empty packed rows: {column: uint8 [count, bytes]}."""
    return {name: np.zeros((count, layout.bytes), np.uint8) for name, layout in self.columns.items()}

  def places(self) -> Dict[str, slice]:
    """Where each column lies in a row whose columns are sent one after the other, in bytes."""
    ends = np.cumsum([layout.bytes for layout in self.columns.values()]).tolist()
    return {name: slice(end - layout.bytes, end) for (name, layout), end in zip(self.columns.items(), ends)}

  def views(self, columns: Mapping[str, np.ndarray]) -> Tuple[core.Step, np.ndarray]:
    """The steps, and the versions, that lie in packed rows, as views: to read and to write."""
    return self._step({name: layout.views(columns[name]) for name, layout in self.columns.items()})

  def mark(self, rows: Mapping[str, np.ndarray], past: Any) -> None:
    """Says in packed rows how many frames of its episode came before each, at most stack - 1; if any are stacked."""
    if self._past is not None:
      rows['rest'][..., self._past] = past

  def which(self, items: Items) -> Dict[str, str]:
    """Which rows of an item each column keeps: 'all', 'ends', 'first', or 'frames': all, and those to stack before."""
    once = {f'once/{name}': 'first' if name in items.once else 'all' for name in self._once}
    return {'observation': items.observations if items.stack == 1 else 'frames', 'rest': 'all', **once}

  def counts(self, items: Items) -> Dict[str, Optional[int]]:
    """How many rows of an item each column keeps; None if that varies."""
    frames = None if items.length is None else items.length + items.stack - 1
    rows = {'all': items.length, 'ends': 2, 'first': 1, 'frames': frames}
    return {name: rows[which] for name, which in self.which(items).items()}

  def specs(self, items: Items, batch_size: int) -> Any:
    """`tf.TensorSpec`s of (columns, info) of a batch of such items."""
    import tensorflow as tf

    columns = {
      name: tf.TensorSpec([batch_size, count, self.columns[name].bytes], tf.uint8)
      for name, count in self.counts(items).items()
    }
    return columns, tf.TensorSpec([batch_size, INFO.bytes], tf.uint8)

  def batch(self, items: Items, columns: Mapping[str, Any], info: Any) -> core.Batch:
    """The batch of items in columns [B, rows, bytes], with packed infos [B, bytes], in a TensorFlow graph."""
    import tensorflow as tf

    nests = {name: layout.unpack(columns[name]) for name, layout in self.columns.items() if name != 'observation'}
    nests['observation'] = self._observation(items, columns['observation'], nests['rest'])
    steps, version = self._step(nests)
    facts = INFO.unpack(info)
    now, acted = facts.pop('now'), version[:, 0]
    age = tf.where(acted == RECORDED, tf.constant(-1, tf.int64), now - acted)
    return core.Batch(
      steps=steps,
      mask=1.0 - tf.cast(steps.last, tf.float32),
      info=core.Info(age=age, **facts),
    )

  def _observation(self, items: Items, rows: Any, rest: Mapping[str, Any]) -> core.Nest:
    """The observations in packed rows [B, rows, bytes], whose other leaves are `rest`; stacked, if items have it so."""
    layout = self.columns['observation']
    if items.stack == 1:
      return layout.unpack(rows)
    import tensorflow as tf

    from tfacme.tensors import frames

    numbers = _frame_numbers(items, rest['last'], rest['past'])
    if items.observations == 'ends':
      numbers = tf.gather(numbers, [0, items.length - 1], axis=1)  # type: ignore[operator]
    return frames.stack(layout.unpack(tf.gather(rows, numbers, batch_dims=1)), self.step_spec.observation)

  def _step(self, nests: Mapping[str, Any]) -> Tuple[core.Step, Any]:
    rest = dict(nests['rest'])
    version = rest.pop('version')
    rest.pop('past', None)
    if self._once:
      extras = dict(rest['extras'])
      for name in self._once:
        extras.update(nests[f'once/{name}'])
      rest['extras'] = {name: extras[name] for name in self.step_spec.extras}
    return core.Step(observation=nests['observation'], **rest), version


def _frame_numbers(items: Items, last: Any, past: Any) -> Any:
  """Which of its rows [B, T, stack] an item stacks for each of its steps, the oldest first, in a TensorFlow graph.

  Args:
    items: whose 'frames' it keeps.
    last: bool [B, T].
    past: uint8 [B, T], frames of the episode before each step.
  """
  import tensorflow as tf

  step = tf.range(tf.shape(last)[1])[tf.newaxis, :, tf.newaxis]
  if items.end != 'continue':  # The last row of an episode fills up its item: what is stacked is the same.
    lasts = tf.reduce_sum(tf.cast(last, tf.int32), axis=1)[:, tf.newaxis, tf.newaxis]
    step = tf.minimum(step, tf.shape(last)[1] - tf.maximum(lasts, 1))
  back = tf.minimum(tf.range(items.stack - 1, -1, -1), tf.cast(past, tf.int32)[..., tf.newaxis])
  return step + (items.stack - 1) - back


def take(column: np.ndarray, rows: np.ndarray, which: str, before: int = 0) -> np.ndarray:
  """The rows [B, T, bytes] of a column that it keeps, by their numbers [B, before + T].

  Args:
    column: packed rows.
    rows: of items, with so many in front that are there for their frames only.
    which: of them it keeps; see `Codec.which`.
    before: how many.
  """
  if which == 'frames':
    return column.take(rows, axis=0)
  if before:
    rows = rows[:, before:]
  if which == 'ends':
    rows = rows.take([0, -1], axis=1)
  elif which == 'first':
    rows = rows[:, :1]
  return column.take(rows, axis=0)


def pack_info(batch_size: int, now: int, **facts: Any) -> np.ndarray:
  """Packed infos [B, bytes]; the facts are arrays [B] or numbers, 0 where not given; see `core.Info`."""
  records = np.zeros(batch_size, _INFO_RECORD)
  records['now'] = now
  for name, fact in facts.items():
    records[name] = fact
  return records.view(np.uint8).reshape(batch_size, INFO.bytes)
