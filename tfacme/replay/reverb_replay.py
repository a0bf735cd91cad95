"""Replay on Reverb, for a replay that serves several threads, processes or hosts."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import os
import queue
import shutil
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Type, Union

import numpy as np
import reverb
import tensorflow as tf
from reverb import structured_writer
from tensorflow.python.eager import cancellation

from tfacme import core, errors
from tfacme.replay import packing, streams, tables

# Items that the writers of a client may have on their way together, or one each if that is more. More hides the
# server's delay from an actor; fewer follow the limiter more closely.
_PENDING = 8
_AHEAD = 2  # batches that are read ahead of the learner
_MOST_ROWS = 100_000  # of an episode that is kept whole
_LONGEST_WAIT = 60.0  # seconds for which priorities may wait to be written, and a checkpoint for the server
_LOOK_SECONDS = 0.5  # after which a reader's thread that waits looks whether it is still wanted
_SAVED = 'reverb'  # a server's checkpoint within ours


def reverb_tables(described: Sequence[tables.Table], codec: packing.Codec) -> List[reverb.Table]:
  """The tables of a Reverb server."""
  return [
    reverb.Table(
      name=table.name,
      sampler=_selector(table.sampler),
      remover=_selector(table.remover),
      max_size=table.max_size,
      rate_limiter=_limiter(table.limiter),
      max_times_sampled=table.max_times_sampled,
      signature=_signature(table, codec),
    )
    for table in described
  ]


def checkpointer(path: str) -> Any:
  """What a Reverb server writes its checkpoints with; it starts from the newest one in the folder `path`."""
  return reverb.platform.checkpointers_lib.DefaultCheckpointer(path)


def _selector(selector: tables.Selector) -> Any:
  if isinstance(selector, tables.Prioritized):
    return reverb.selectors.Prioritized(selector.exponent)
  plain = {
    tables.Uniform: reverb.selectors.Uniform,
    tables.Fifo: reverb.selectors.Fifo,
    tables.Lifo: reverb.selectors.Lifo,
  }
  return plain[type(selector)]()


def _limiter(limiter: tables.Limiter) -> reverb.rate_limiters.RateLimiter:
  return reverb.rate_limiters.RateLimiter(limiter.samples_per_insert, limiter.min_size, limiter.low, limiter.high)


def _counts(table: tables.Table, codec: packing.Codec) -> Dict[str, Optional[int]]:
  """How many rows of an item each column keeps; None if that varies."""
  rows = {'all': table.items.length, 'ends': 2, 'first': 1}
  return {name: rows[which] for name, which in codec.which(table.items).items()}


def _signature(table: tables.Table, codec: packing.Codec) -> Dict[str, Any]:
  signature: Dict[str, Any] = {}
  for name, count in _counts(table, codec).items():
    size = codec.columns[name].bytes
    if table.items.length is not None and codec.which(table.items)[name] == 'ends':
      signature[name] = [tf.TensorSpec([1, size], tf.uint8)] * 2
    else:
      signature[name] = tf.TensorSpec([count, size], tf.uint8)
  return signature


@dataclasses.dataclass
class _Read:
  columns: streams.Columns
  info: np.ndarray
  keys: np.ndarray


class ReverbReplay:
  """The tables of a Reverb server, as its clients see them; see `streams.Replay`."""

  def __init__(self, client: reverb.Client, codec: packing.Codec, described: Sequence[tables.Table]):
    self.codec = codec
    self._client = client
    self._tables = tuple(described)
    self._writers = 0
    self._readers: List[ReverbReader] = []
    unknown = math.nan
    self._usage = {t.name: streams.Usage(unknown, t.max_size, unknown, unknown) for t in self._tables}

  def writer(self) -> streams.StreamWriter:
    """A writer for one stream."""
    kinds: Dict[Type[Any], List[tables.Table]] = {_ItemWriter: [], _EpisodeWriter: []}
    for table in self._tables:
      kinds[_EpisodeWriter if table.items.length is None else _ItemWriter].append(table)
    self._writers += 1
    writers = [
      kind(self._client, described, self.codec, self._pending) for kind, described in kinds.items() if described
    ]
    return writers[0] if len(writers) == 1 else _Writers(writers)

  def reader(self, table: tables.Table, batch_size: int) -> ReverbReader:
    """A reader of batches from a table."""
    self._readers.append(ReverbReader(self._client, self.codec, table, batch_size))
    return self._readers[-1]

  def close(self) -> None:
    """Ends its readers, without waiting for them."""
    for reader in self._readers:
      reader.close()

  def usage(self) -> Dict[str, streams.Usage]:
    """How much each table is used, by what the server says, or said last if it is busy."""
    with contextlib.suppress(reverb.errors.DeadlineExceededError):
      self._usage.update({name: _usage(info) for name, info in self._client.server_info(timeout=10).items()})
    return dict(self._usage)

  def _pending(self) -> int:
    """Items that each writer of this client may have on their way.

    None to a queue: what comes to it is of the newest policy only if nobody acts ahead of the learner.
    """
    return 0 if any(map(_is_queue, self._tables)) else max(1, _PENDING // self._writers)

  def save(self, path: str) -> None:
    """Has the server write a checkpoint in its own folder, and takes it over into the folder `path`.

    A server removes its older checkpoints, also those that ours still need.
    """
    # Waits for a connection if there is none yet, as `checkpoint` does not, and for a server that is busy.
    self._client.server_info(timeout=int(_LONGEST_WAIT))
    written = self._client.checkpoint()
    if not os.path.isdir(written):
      raise errors.UserError(
        f'The replay server wrote its checkpoint to {written}, which is not to be seen from here; put the work '
        'directory into a file system that all hosts share.'
      )
    _copy(written, os.path.join(path, _SAVED, os.path.basename(os.path.normpath(written))))


def _is_queue(table: tables.Table) -> bool:
  return table.max_times_sampled == 1


def _usage(info: Any) -> streams.Usage:
  limiter = info.rate_limiter_info  # A server that goes on from a checkpoint counts on.
  return streams.Usage(info.current_size, info.max_size, limiter.insert_stats.completed, limiter.sample_stats.completed)


def can_restore(path: str) -> bool:
  """Whether what is in the folder `path` was written by `ReverbReplay.save`."""
  return os.path.isdir(os.path.join(path, _SAVED))


def prepare_restore(path: Optional[str], server_path: str) -> None:
  """Leaves, before a server starts in `server_path`, just the checkpoint there that was saved into `path`, if any."""
  shutil.rmtree(server_path, ignore_errors=True)
  saved = os.path.join(path, _SAVED) if path else ''
  if os.path.isdir(saved):
    _copy(saved, server_path)


def _copy(source: str, target: str) -> None:
  """Copies a folder of files that nobody alters; where the file system has links, it costs no space."""

  def copy(file: str, to: str) -> None:
    try:
      os.link(file, to)
    except OSError:
      shutil.copy2(file, to)

  shutil.copytree(source, target, copy_function=copy)


class _Writers:
  """Writes one stream into tables of both kinds."""

  def __init__(self, writers: Sequence[streams.StreamWriter]):
    self._writers = writers

  def append(self, row: streams.Columns, last: bool) -> None:
    for writer in self._writers:
      writer.append(row, last)

  def flush(self, wait: float, everything: bool = False) -> Optional[core.Blocked]:
    for writer in self._writers:
      blocked = writer.flush(wait, everything)
      if blocked is not None:
        return blocked
    return None


class _ItemWriter:
  """Writes one stream of rows into tables whose items have a fixed length.

  Reverb sends rows in chunks, of a length that it tunes by itself and that is never above the longest item's. So the
  newest items wait here for the rows that fill a chunk, or for a `flush` that leaves nothing behind.
  """

  def __init__(
    self,
    client: reverb.Client,
    described: Sequence[tables.Table],
    codec: packing.Codec,
    pending: Callable[[], int],
  ):
    self._pending = pending
    self._cutter = streams.Cutter(described)
    structure = {'due': [0] * len(described), **dict.fromkeys(codec.columns, 0)}
    # Which rows complete an item is worked out here, for all back ends alike; Reverb looks at a flag in the row.
    due = structured_writer.Condition.data(structure)['due']
    step = structured_writer.create_reference_step(structure)
    configs = [
      structured_writer.create_config(_pattern(step, table, codec), table.name, [due[i] == 1])
      for i, table in enumerate(described)
    ]
    self._writer = client.structured_writer(configs)
    self._flags = (np.int32(0), np.int32(1))

  def append(self, row: streams.Columns, last: bool) -> None:
    """Adds a row, and at the end of an episode whatever items it completes."""
    self._push(row, self._cutter.advance(last))
    if last:
      for due in self._cutter.finish():
        self._push(row, due)

  def flush(self, wait: float, everything: bool = False) -> Optional[core.Blocked]:
    """Waits until the server has taken all items, or all but a few."""
    return _flush(self._writer, wait, 0 if everything else self._pending())

  def _push(self, row: streams.Columns, due: Sequence[bool]) -> None:
    self._writer.append({'due': [self._flags[is_due] for is_due in due], **row})


def _pattern(step: Any, table: tables.Table, codec: packing.Codec) -> Dict[str, Any]:
  length = table.items.length
  assert length is not None
  pattern: Dict[str, Any] = {}
  for name, which in codec.which(table.items).items():
    first = step[name][-length : -length + 1]
    if which == 'ends':  # Two plain slices: Reverb gets the signature of a stepped one wrong.
      pattern[name] = [first, step[name][-1:]]
    else:
      pattern[name] = first if which == 'first' else step[name][-length:]
  return pattern


class _EpisodeWriter:
  """Writes one stream of rows into tables whose items are whole episodes, of whatever length."""

  def __init__(
    self,
    client: reverb.Client,
    described: Sequence[tables.Table],
    codec: packing.Codec,
    pending: Callable[[], int],
  ):
    self._pending = pending
    self._tables = described
    self._codec = codec
    self._count = 0
    self._writer = client.trajectory_writer(num_keep_alive_refs=_MOST_ROWS)

  def append(self, row: streams.Columns, last: bool) -> None:
    """Adds a row, and the episode once it is whole."""
    self._writer.append(dict(row))
    self._count += 1
    if not last:
      return
    for table in self._tables:
      ends = {'all': None, 'first': 1 - self._count or None}
      which = self._codec.which(table.items)
      trajectory = {n: self._writer.history[n][-self._count : ends[which[n]]] for n in which}
      self._writer.create_item(table.name, priority=1.0, trajectory=trajectory)
    self._count = 0

  def flush(self, wait: float, everything: bool = False) -> Optional[core.Blocked]:
    """Waits until the server has taken all items, or, within an episode, all but a few."""
    if self._count or not self._writer.episode_steps:
      return _flush(self._writer, wait, 0 if everything else self._pending())
    # Only so does it let go of the rows of the episodes before.
    return _in_time(functools.partial(self._writer.end_episode, clear_buffers=True), wait)


def _flush(writer: Any, wait: float, pending: int) -> Optional[core.Blocked]:
  return _in_time(functools.partial(writer.flush, pending), wait)


def _in_time(call: Callable[..., None], wait: float) -> Optional[core.Blocked]:
  try:
    call(timeout_ms=max(1, int(1000 * wait)))
  except reverb.errors.DeadlineExceededError:
    return core.Blocked('the learner to sample (the rate limiter holds inserts)')
  return None


class ReverbReader:
  """Reads batches from one table in a thread of its own, so that nobody hangs in Reverb; see `streams.Reader`."""

  def __init__(self, client: reverb.Client, codec: packing.Codec, table: tables.Table, batch_size: int):
    self.codec = codec
    self._client = client
    self._table = table
    self._batch_size = batch_size
    self._read: queue.Queue = queue.Queue()
    # Of a queue no batch is read before the learner asks for it; see `ReverbReplay._pending`.
    self._wanted = threading.Semaphore(0 if _is_queue(table) else _AHEAD)
    self._asked = False  # whether the learner waits for a batch
    self._priorities: queue.Queue = queue.Queue(maxsize=4)
    self._failed: Optional[BaseException] = None  # why priorities are no longer written
    self._closed = threading.Event()
    self._cancellation = cancellation.CancellationManager()  # Nothing else ends a wait for a sample.
    self._iterator: Any = None
    self._started = False
    self._dry = False  # whether there was no more to sample when it was last asked

  def read(self, wait: float, now: int) -> Union[_Read, core.Blocked]:
    """A batch, or what it waits for after `wait` seconds."""
    if not self._started:
      self._started = True
      for target in (self._keep_reading, self._keep_writing):
        threading.Thread(target=target, name=f'reverb {self._table.name}', daemon=True).start()
    if not self._asked:
      self._asked = True
      self._wanted.release()
    try:
      info, data = self._read.get(timeout=max(wait, 1e-3))
    except queue.Empty:
      return core.Blocked(f'the actors to insert into {self._table.name!r} (the rate limiter holds samples)')
    if isinstance(info, BaseException):
      raise info
    self._asked = self._dry = False
    keys = np.asarray(info.key).reshape(self._batch_size)
    facts = {'probability': info.probability, 'table_size': info.table_size}
    packed = packing.pack_info(
      self._batch_size, now, key=keys, **{k: np.asarray(v).reshape(self._batch_size) for k, v in facts.items()}
    )
    return _Read(data, packed, keys)

  def exhausted(self) -> bool:
    """Whether the server allows no more samples; one that is slow to give them does not count."""
    try:
      usage = _usage(self._client.server_info(timeout=10)[self._table.name])
    except reverb.errors.DeadlineExceededError:
      return False
    # Asked twice without a batch in between, since the last samples may be on their way while the table has no more.
    allowed = self._table.limiter.can_sample(int(usage.inserted), int(usage.sampled), int(usage.size))
    was, self._dry = self._dry, not allowed
    return was and self._dry and self._read.empty()

  def write_priorities(self, read: Any, priorities: np.ndarray) -> None:
    """Gives the items of a batch new priorities [B], a little later."""
    if self._failed is not None:
      raise self._failed
    try:
      self._priorities.put((read.keys, priorities), timeout=_LONGEST_WAIT)
    except queue.Full:
      raise RuntimeError(f'The priorities of {self._table.name!r} could not be written in time.') from self._failed

  def close(self) -> None:
    """Ends its threads, which have let go of the server a little later."""
    self._closed.set()
    threading.Thread(target=self._cancel, name='close', daemon=True).start()

  def _cancel(self) -> None:
    # In the process of the server a wait for a sample, and with it this call and Python's lock, lasts for up to 3
    # seconds while the server runs. It runs no more by now: all nodes stop together.
    time.sleep(_LOOK_SECONDS)
    self._cancellation.start_cancel()
    self._iterator = None  # Not before: its destructor would have to wait as long.

  def _keep_reading(self) -> None:
    try:
      samples = self._dataset()
      while not self._closed.is_set():
        if self._wanted.acquire(timeout=_LOOK_SECONDS):
          self._read.put(next(samples))
    except BaseException as error:
      if not self._closed.is_set():  # Else nobody takes it, and its traceback would hold on to the iterator.
        self._read.put((error, None))  # The learner raises it.

  def _keep_writing(self) -> None:
    try:
      while not self._closed.is_set():
        with contextlib.suppress(queue.Empty):
          keys, priorities = self._priorities.get(timeout=_LOOK_SECONDS)
          self._client.mutate_priorities(self._table.name, updates=dict(zip(keys.tolist(), priorities.tolist())))
    except BaseException as error:  # The learner raises it.
      self._failed = error

  def _dataset(self) -> Any:
    signature = _signature(self._table, self.codec)
    dataset = reverb.TrajectoryDataset(
      self._client.server_address,
      table=self._table.name,
      dtypes=tf.nest.map_structure(lambda s: s.dtype, signature),
      shapes=tf.nest.map_structure(lambda s: s.shape, signature),
      # The learner is paced by what it takes, so little may be taken ahead of it.
      max_in_flight_samples_per_worker=1 if _is_queue(self._table) else self._batch_size,
      num_workers_per_iterator=1,
    )
    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False  # How far to read ahead is decided here.
    dataset = dataset.with_options(options)
    if self._table.items.length is None:
      return self._episodes(self._iterate(dataset))
    batches = dataset.batch(self._batch_size, drop_remainder=True)
    return ((sample.info, _columns(sample.data)) for sample in self._iterate(batches))

  def _iterate(self, dataset: tf.data.Dataset) -> Iterator[Any]:
    """What the dataset holds, until the reader is closed."""
    self._iterator = iter(dataset)
    following = tf.function(self._iterator.get_next).get_concrete_function()
    following = self._cancellation.get_cancelable_function(following)
    while True:
      yield following()

  def _episodes(self, iterator: Any) -> Any:
    """Batches of episodes, each filled up by its last row."""
    while True:
      samples = [next(iterator) for _ in range(self._batch_size)]
      longest = max(sample.data['rest'].shape[0] for sample in samples)
      data = {
        name: np.stack([_fill(np.asarray(s.data[name]), 1 if which == 'first' else longest) for s in samples])
        for name, which in self.codec.which(self._table.items).items()
      }
      yield tf.nest.map_structure(lambda *x: np.stack(x), *[s.info for s in samples]), data


def _columns(data: Mapping[str, Any]) -> Dict[str, Any]:
  return {n: tf.concat(column, axis=1) if isinstance(column, (list, tuple)) else column for n, column in data.items()}


def _fill(rows: np.ndarray, count: int) -> np.ndarray:
  return np.pad(rows, ((0, count - len(rows)), (0, 0)), mode='edge')
