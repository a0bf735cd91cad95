"""What the tests of replay share: a stream whose rows can be told apart, and one way to drive both back ends."""

import os
import tempfile
import threading
import time
from concurrent import futures
from typing import Dict, List, Optional, Sequence

import numpy as np
import reverb
import tree
from dm_env import specs as dm_specs
from hypothesis import strategies as st

from tfacme import core
from tfacme.graph import remote
from tfacme.replay import hosted, numpy_replay, packing, reverb_replay, reverb_tables, streams, tables, visiting
from tfacme.replay import items as items_lib

_FLAG = dm_specs.Array((), np.bool_)
SPEC = core.Step(
  observation={'image': dm_specs.Array((2, 2), np.uint8), 'vector': dm_specs.Array((3,), np.float32)},
  action=dm_specs.DiscreteArray(5),
  reward=dm_specs.Array((), np.float32),
  discount=dm_specs.Array((), np.float32),
  first=_FLAG,
  last=_FLAG,
  extras={
    'state': (dm_specs.Array((2,), np.float32), dm_specs.Array((), np.int64)),
    'logits': dm_specs.Array((5,), np.float32),
    'number': dm_specs.Array((), np.int32),  # of the row, by which tests know it again
  },
)


def row(number: int, first: bool, last: bool) -> core.Step:
  """A row that shows its number in every leaf."""
  return core.Step(
    observation={'image': np.full((2, 2), number % 256, np.uint8), 'vector': np.full(3, number, np.float32)},
    action=np.int32(0 if last else number % 5),
    reward=np.float32(0 if last else number),
    discount=np.float32(not last),
    first=np.bool_(first),
    last=np.bool_(last),
    extras={
      'state': (np.full(2, number, np.float32), np.int64(-number)),
      'logits': np.full(5, number / 2, np.float32),
      'number': np.int32(number),
    },
  )


def stream(lengths: Sequence[int], unfinished: int = 0, start: int = 0) -> List[core.Step]:
  """Episodes of so many transitions, and the first rows of one that goes on."""
  flags = [(t == 0, t == length) for length in lengths for t in range(length + 1)]
  flags += [(t == 0, False) for t in range(unfinished)]
  return [row(start + number, first, last) for number, (first, last) in enumerate(flags)]


def numbers(item: core.Step) -> List[int]:
  """The numbers of the rows of an item."""
  return item.extras['number'].tolist()


_writers: List[streams.StreamWriter] = []  # A writer of Reverb's that still has items hangs whoever destroys it.


class Feed:
  """Writes rows as an actor does: through one packed row, whose memory is used again."""

  def __init__(self, writer: streams.StreamWriter, codec: packing.Codec):
    self.writer = writer
    if not isinstance(writer, visiting._Writer):  # What it waits for ends with its test.
      _writers.append(writer)
    self._columns = codec.rows(1)
    self._views, self._version = codec.views(self._columns)

  def __call__(self, rows: Sequence[core.Step], version: int = 0) -> None:
    for step in rows:
      for view, leaf in zip(tree.flatten(self._views), tree.flatten(step)):
        view[0] = leaf
      self._version[0] = version
      self.writer.append({name: column[0] for name, column in self._columns.items()}, bool(step.last))

  def settle(self, wait: float = 10.0) -> Optional[core.Blocked]:
    """Waits until all items are where they belong, as an actor does at its end.

    Without it Reverb's writer keeps the rows of a chunk that is not full yet, and the items that need them.
    """
    return self.writer.flush(wait, everything=True)


def unpack(codec: packing.Codec, read: streams.Read, rule: items_lib.Items = items_lib.Items(2)) -> List[core.Step]:
  """The items of a batch, one by one."""
  columns = {name: np.asarray(column) for name, column in read.columns.items()}
  if rule.stack > 1:  # Frames are stacked in the learner's graph.
    steps = tree.map_structure(lambda x: x.numpy(), codec.batch(rule, columns, read.info).steps)
  else:
    steps, _ = codec.views(columns)
  return [tree.map_structure(lambda x, i=i: x[i], steps) for i in range(len(read.info))]


def facts(read: streams.Read) -> Dict[str, np.ndarray]:
  """The info of a batch, as it lies in its packed form."""
  return packing.INFO.views(read.info)


def read(reader: streams.Reader, wait: float = 10.0, now: int = 0) -> streams.Read:
  """A batch; it has to come."""
  batch = reader.read(wait, now)
  assert not isinstance(batch, core.Blocked), batch
  return batch


def drain(
  reader: streams.Reader, count: int, wait: float = 10.0, rule: items_lib.Items = items_lib.Items(2)
) -> List[core.Step]:
  """The items of just so many batches, after which there is none."""
  drained = [item for _ in range(count) for item in unpack(reader.codec, read(reader, wait), rule)]
  assert starved(reader)
  return drained


def starved(reader: streams.Reader) -> bool:
  """Whether there is no batch to be had."""
  return isinstance(reader.read(0.15, 0), core.Blocked)


def same(got: core.Step, want: core.Step) -> None:
  """Two steps are equal in every leaf, shape and type."""
  a, b = tree.flatten(got), tree.flatten(want)
  if len(a) != len(b) or not all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in zip(a, b)):
    raise AssertionError(f'{got}\n\ninstead of\n\n{want}')


def state(replay: numpy_replay.NumpyReplay) -> Dict[str, np.ndarray]:
  """All that a replay saves."""
  with tempfile.TemporaryDirectory() as path:
    replay.save(path)
    (file,) = os.listdir(path)
    with np.load(os.path.join(path, file)) as arrays:
      return {name: arrays[name] for name in arrays.files}


def digest(replay: numpy_replay.NumpyReplay) -> str:
  """The digest of all that a replay saves."""
  with tempfile.TemporaryDirectory() as path:
    return replay.save(path)


class NumpyBackend:
  """Replay in this process."""

  name = 'numpy'

  def replay(self, described: Sequence[tables.Table], seed: int = 0, spec: core.Step = SPEC) -> streams.Replay:
    codec = packing.Codec.of(spec, [table.items for table in described])
    return numpy_replay.NumpyReplay(codec, described, seed)

  def saved_and_restored(self, described: Sequence[tables.Table], fill, path: str) -> streams.Replay:
    """A replay that took over what `fill` did to another one, through a checkpoint in the folder `path`."""
    first, second = self.replay(described), self.replay(described)
    fill(first)
    first.save(path)
    second.restore(path)
    return second


class _Courier:
  """Calls an endpoint as a client of Courier does, through threads of a server."""

  def __init__(self, endpoint: remote.Endpoint):
    self._endpoint = endpoint
    self._pool = futures.ThreadPoolExecutor(16)
    self.futures = self
    self.calls = 0
    self.twice = False  # whether each call comes twice, as it may
    self.broken = 0  # how many calls do not come through

  def call(self, request: bytes) -> futures.Future:
    self.calls += 1
    if self.twice:
      self._pool.submit(self._endpoint.call, request).result()
    if self.broken:
      self.broken -= 1
      return self._pool.submit(self._lose, request if self.broken else None)
    return self._pool.submit(self._endpoint.call, request)

  def _lose(self, request: Optional[bytes]) -> None:
    if request is not None:
      self._endpoint.call(request)
    raise ConnectionError('reset by peer')

  def close(self) -> None:
    """Waits for all calls."""
    self._pool.shutdown()


class Beside:
  """A replay beside a learner, with one who writes into it from elsewhere."""

  def __init__(self, replay: numpy_replay.NumpyReplay, described: Sequence[tables.Table], rows: int):
    self.hosted = hosted.HostedReplay(replay)
    self.codec = replay.codec
    self.courier = _Courier(remote.Endpoint(None, {'replay': self.hosted}))
    self._described = described
    self._rows = rows
    self.visited = self.visit('actor-0')
    self.writer = self.visited.writer
    self.reader, self.usage, self.save = self.hosted.reader, self.hosted.usage, self.hosted.save

  def visit(self, name: str) -> visiting.VisitedReplay:
    """What a node of this name writes through."""
    client = remote.Remote(self.courier, 'learner', lambda: False, part='replay')
    return visiting.VisitedReplay(client, name, self.codec, self._described, self._rows)


class BesideBackend:
  """Replay beside a learner."""

  name = 'beside'

  def __init__(self, rows: int = 3):
    self._rows = rows

  def replay(self, described: Sequence[tables.Table], seed: int = 0, spec: core.Step = SPEC) -> Beside:
    return Beside(NumpyBackend().replay(described, seed, spec), described, self._rows)

  def saved_and_restored(self, described: Sequence[tables.Table], fill, path: str) -> Beside:
    """As of `NumpyBackend`."""
    first, second = self.replay(described), NumpyBackend().replay(described)
    fill(first)
    first.save(path)
    second.restore(path)
    return Beside(second, described, self._rows)


_FEW = 4  # servers that are stopped at a time


class ReverbBackend:
  """Replay behind a server; `stop` ends all that it gave."""

  name = 'reverb'

  def __init__(self):
    self._kept = []

  def replay(
    self, described: Sequence[tables.Table], spec: core.Step = SPEC, path: Optional[str] = None
  ) -> reverb_replay.ReverbReplay:
    codec = packing.Codec.of(spec, [table.items for table in described])
    checkpointer = reverb_tables.checkpointer(path) if path else None
    server = reverb.Server(reverb_tables.server_tables(described, codec), checkpointer=checkpointer)
    client = reverb.Client(f'localhost:{server.port}')
    client.server_info(timeout=60)  # On a busy machine it takes a while until a new server answers.
    replay = reverb_replay.ReverbReplay(client, codec, described)
    self._kept.append((server, client, replay, [table.name for table in described]))
    return replay

  def saved_and_restored(self, described: Sequence[tables.Table], fill, path: str) -> streams.Replay:
    """As of `NumpyBackend`; the second server starts from the first one's checkpoint."""
    first = self.replay(described, path=os.path.join(path, 'server'))
    fill(first)
    os.makedirs(os.path.join(path, 'checkpoint', 'replay'))
    first.save(os.path.join(path, 'checkpoint', 'replay'))
    reverb_replay.prepare_restore(os.path.join(path, 'checkpoint'), ['replay'], os.path.join(path, 'next'))
    return self.replay(described, path=os.path.join(path, 'next', 'replay'))

  def stop(self) -> None:
    """Ends all servers, once nothing waits in a writer any more, and all readers."""
    for writer in _writers:
      while writer.flush(0.01, everything=True) is not None:
        for _, client, _, names in self._kept:
          for name in names:
            client.reset(name)
    _writers.clear()
    while self._kept:
      # Until its reader has ended, it asks a server that has stopped again and again: all at once would starve the
      # tests that other processes still run.
      few, self._kept = self._kept[:_FEW], self._kept[_FEW:]
      for server, _, replay, _ in few:
        # A client that asks a server which has stopped meanwhile asks for ever.
        while any(r._priorities.unfinished_tasks and r._failed is None for r in replay._readers):
          time.sleep(0.01)
        server.stop()
        replay.close()
      _wait_for('reverb close')
    _wait_for('reverb ')


def _wait_for(name: str) -> None:
  """Waits until no thread has a name that begins so."""
  while any(thread.name.startswith(name) for thread in threading.enumerate()):
    time.sleep(0.01)


@st.composite
def rules(draw, ends: Sequence[str] = ('pad', 'drop', 'continue'), whole: bool = True) -> items_lib.Items:
  """Any rule of items."""
  once = tuple(draw(st.lists(st.sampled_from(['state', 'logits']), unique=True, max_size=2)))
  stack = draw(st.sampled_from([1, 1, 2, 4, 7]))
  if whole and draw(st.integers(0, 6)) == 0:
    return items_lib.Items(None, once=once, stack=stack)
  length = draw(st.integers(2, 6))
  return items_lib.Items(
    length=length,
    burn_in=draw(st.integers(0, length - 2)),
    period=draw(st.integers(1, 7)),
    observations=draw(st.sampled_from(['ends', 'all'])),
    once=once,
    end=draw(st.sampled_from(ends)),
    stack=stack,
  )


# Rules that one stream can feed side by side.
rule_sets = st.one_of(
  st.lists(rules(ends=('pad', 'drop')), min_size=1, max_size=3),
  st.lists(rules(ends=('continue',), whole=False), min_size=1, max_size=3),
)
episode_lengths = st.lists(st.integers(1, 9), max_size=5)
