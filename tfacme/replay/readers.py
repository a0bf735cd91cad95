"""Opens a source: what a learner calls to get its batches, packed, and to take them apart inside its graph."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Dict, List, Optional, Protocol, Sequence, Union

import numpy as np

from tfacme import core, seeds
from tfacme.replay import recorded, sources, streams, tables
from tfacme.replay.items import Items

Packed = Any  # A nest of uint8 arrays: what the compiled learner takes.


@dataclasses.dataclass
class Opened:
  """A batch as it was read.

  Attributes:
    packed: a nest of uint8 arrays, the same structure for every batch of a source.
    token: what `write_priorities` needs to find the items again.
  """

  packed: Packed
  token: Any


class OpenSource(Protocol):
  """A source that can be read."""

  def read(self, wait: float, now: int) -> Union[Opened, core.Blocked]:
    """The next batch, or what it waits for after at most `wait` seconds; `now` counts learner steps."""
    ...

  def specs(self) -> Packed:
    """`tf.TensorSpec`s of what is read."""
    ...

  def unpack(self, packed: Packed) -> Any:
    """The `Batch` (or {name: Batch}) of packed tensors, inside a TensorFlow graph."""
    ...

  def exhausted(self) -> bool:
    """Whether, once nothing is inserted any more, no batch can be read any more."""
    ...

  def write_priorities(self, token: Any, priorities: Any) -> None:
    """Gives the items new priorities: [B], or {name: [B]} for batches side by side."""
    ...

  def state(self) -> Any:
    """Where it stands, as plain values."""
    ...

  def set_state(self, state: Any) -> None:
    """Continues from where `state` stood."""
    ...

  def close(self) -> None:
    """Reads no further."""
    ...


@dataclasses.dataclass(frozen=True)
class Resources:
  """What sources are opened with.

  Attributes:
    replay: None in a run without actors.
    described: the tables of the replay.
    seed: for shuffling.
  """

  replay: Optional[streams.Readable]
  described: Sequence[tables.Table]
  seed: int


def open_source(source: Any, resources: Resources, name: str = 'source') -> OpenSource:
  """Opens a source and everything in it.

  Args:
    source: of a run, as `resolving.resolve` gives it.
    resources: what it is opened with.
    name: tells the seeds of data in different places apart.
  """
  if isinstance(source, sources.Sample):
    assert resources.replay is not None
    table = tables.find(resources.described, source.table)
    return _Leaf(resources.replay.reader(table, source.batch_size), table.items, source.batch_size)
  if isinstance(source, recorded.Recorded):
    reader = recorded.DataReader(source, seeds.derive(resources.seed, name))
    return _Leaf(reader, source.items, source.batch_size, reader.close)
  if isinstance(source, sources.Map):
    return _Map(source.function, open_source(source.source, resources, name))
  if isinstance(source, sources.Mix):
    return _Mix(source, [open_source(part, resources, f'{name}/{i}') for i, part in enumerate(source.parts)])
  return _Together({key: open_source(part, resources, f'{name}/{key}') for key, part in source.sources.items()})


class _Leaf:
  """A source that reads from one place."""

  def __init__(self, reader: streams.Reader, items: Items, batch_size: int, close: Callable[[], None] = lambda: None):
    """`close` closes the reader, unless that is the replay's."""
    self.close = close
    self._reader = reader
    self._items = items
    self._batch_size = batch_size

  def specs(self) -> Packed:
    return self._reader.codec.specs(self._items, self._batch_size)

  def read(self, wait: float, now: int) -> Union[Opened, core.Blocked]:
    read = self._reader.read(wait, now)
    return read if isinstance(read, core.Blocked) else Opened((dict(read.columns), read.info), read)

  def unpack(self, packed: Packed) -> core.Batch:
    return self._reader.codec.batch(self._items, *packed)

  def exhausted(self) -> bool:
    return self._reader.exhausted()

  def write_priorities(self, token: Any, priorities: Any) -> None:
    priorities = np.asarray(priorities)
    if not np.minimum.reduce(priorities) >= 0:  # So it is with NaN.
      raise ValueError(f'Priorities have to be numbers of at least 0, and the update gave {priorities.min()}.')
    self._reader.write_priorities(token, priorities)

  def state(self) -> Any:
    return self._reader.state()

  def set_state(self, state: Any) -> None:
    self._reader.set_state(state)


class _Map:
  """A source whose batches pass through a function in the graph."""

  def __init__(self, function: Any, source: OpenSource):
    self._function = function
    self._source = source
    self.read = source.read
    self.specs = source.specs
    self.exhausted = source.exhausted
    self.write_priorities = source.write_priorities
    self.state = source.state
    self.set_state = source.set_state
    self.close = source.close

  def unpack(self, packed: Packed) -> Any:
    return self._function(self._source.unpack(packed))


class _Several:
  """Several sources of which a batch needs all; what one of them has read waits for the others."""

  def __init__(self, parts: Sequence[OpenSource]):
    self._parts = parts
    self._waiting: List[Optional[Opened]] = [None] * len(parts)
    self._before: List[Any] = [None] * len(parts)  # where each part stood before it read what waits

  def exhausted(self) -> bool:
    return any(part.exhausted() for part, waiting in zip(self._parts, self._waiting) if waiting is None)

  def _specs(self) -> List[Packed]:
    return [part.specs() for part in self._parts]

  def _read(self, wait: float, now: int) -> Union[List[Opened], core.Blocked]:
    for i, part in enumerate(self._parts):
      if self._waiting[i] is None:
        self._before[i] = part.state()
        read = part.read(wait, now)
        if isinstance(read, core.Blocked):
          return read
        self._waiting[i] = read
    read_all, self._waiting = self._waiting, [None] * len(self._parts)
    return read_all  # type: ignore[return-value]

  def state(self) -> Any:
    waiting = zip(self._parts, self._waiting, self._before)
    return [part.state() if read is None else before for part, read, before in waiting]

  def set_state(self, state: Any) -> None:
    self._waiting = [None] * len(self._parts)
    for part, part_state in zip(self._parts, state):
      part.set_state(part_state)

  def close(self) -> None:
    for part in self._parts:
      part.close()


class _Mix(_Several):
  """One batch of items from several sources."""

  def __init__(self, source: sources.Mix, parts: Sequence[OpenSource]):
    super().__init__(parts)
    self._sizes = source.sizes
    counts = [_count(part) for part in source.parts]
    self._first_numbers = [sum(counts[:i]) for i in range(len(counts))]

  def specs(self) -> Packed:
    return self._specs()

  def read(self, wait: float, now: int) -> Union[Opened, core.Blocked]:
    read = self._read(wait, now)
    if isinstance(read, core.Blocked):
      return read
    return Opened([part.packed for part in read], [part.token for part in read])

  def unpack(self, packed: Packed) -> core.Batch:
    import tensorflow as tf

    numbered = []
    for part, own, first in zip(self._parts, packed, self._first_numbers):
      batch = part.unpack(own)
      numbered.append(batch._replace(info=batch.info._replace(source=batch.info.source + first)))
    return tf.nest.map_structure(lambda *leaves: tf.concat(leaves, axis=0), *numbered)

  def write_priorities(self, token: Any, priorities: Any) -> None:
    ends = np.cumsum(self._sizes)
    for part, part_token, end, size in zip(self._parts, token, ends, self._sizes):
      part.write_priorities(part_token, priorities[end - size : end])


def _count(source: Any) -> int:
  """How many numbers of sources the batches of a part of a Mix have."""
  if isinstance(source, sources.Map):
    return _count(source.source)
  return sum(map(_count, source.parts)) if isinstance(source, sources.Mix) else 1


class _Together(_Several):
  """Batches side by side."""

  def __init__(self, parts: Dict[str, OpenSource]):
    super().__init__(list(parts.values()))
    self._names = list(parts)

  def specs(self) -> Packed:
    return dict(zip(self._names, self._specs()))

  def read(self, wait: float, now: int) -> Union[Opened, core.Blocked]:
    read = self._read(wait, now)
    if isinstance(read, core.Blocked):
      return read
    return Opened(
      {name: part.packed for name, part in zip(self._names, read)},
      {name: part.token for name, part in zip(self._names, read)},
    )

  def unpack(self, packed: Packed) -> Dict[str, Any]:
    return {name: part.unpack(packed[name]) for name, part in zip(self._names, self._parts)}

  def write_priorities(self, token: Any, priorities: Any) -> None:
    for name, part in zip(self._names, self._parts):
      if priorities.get(name) is not None:
        part.write_priorities(token[name], priorities[name])
