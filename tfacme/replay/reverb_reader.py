"""Reading batches from a table of Reverb's, and writing their priorities back."""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import threading
import time
from typing import Any, Dict, Iterator, Mapping, Optional, Union

import numpy as np
import reverb
import tensorflow as tf
from tensorflow.python.eager import cancellation

from tfacme import core
from tfacme.replay import packing, reverb_answers, reverb_tables, streams, tables

_AHEAD = 2  # batches that are read ahead of the learner
_LONGEST_WAIT = 60.0  # seconds for which priorities may wait to be written
_LOOK_SECONDS = 0.5  # after which a thread that waits looks whether it is still wanted


@dataclasses.dataclass
class Read:
  """A batch as it was read; see `streams.Read`."""

  columns: streams.Columns
  info: np.ndarray
  keys: np.ndarray


@dataclasses.dataclass
class Scale:
  """The unit of the priorities in a server's table: 1 is the highest so far.

  Writers, in other processes and on other hosts, give each new item the priority 1. So that no other item is above it,
  readers divide the priorities that they write back by the highest so far, which writers need not know. An item keeps
  its priority: while the highest grows, items that were not sampled since count for more than they should.
  """

  highest: float = 1.0


class ReverbReader:
  """Reads batches from one table in a thread of its own, so that no other one hangs in Reverb; see `streams.Reader`."""

  def __init__(
    self,
    client: reverb.Client,
    server: reverb_answers.Asked,
    codec: packing.Codec,
    table: tables.Table,
    batch_size: int,
    scale: Scale,
  ):
    self.codec = codec
    self._client = client
    self._table = table
    self._batch_size = batch_size
    self._scale = scale
    self._waiter = reverb_answers.Waiter(
      server, f'the actors to insert into {table.name!r} (the rate limiter holds samples)'
    )
    self._read: queue.Queue = queue.Queue()
    # Of a queue no batch is read before the learner asks for it; see `ReverbReplay._pending`.
    self._wanted = threading.Semaphore(0 if table.is_queue else _AHEAD)
    self._asked = False  # whether the learner waits for a batch
    self._priorities: queue.Queue = queue.Queue(maxsize=4)
    self._failed: Optional[BaseException] = None  # why priorities are no longer written
    self._closed = threading.Event()
    self._cancellation = cancellation.CancellationManager()  # Nothing else ends a wait for a sample.
    self._iterator: Any = None
    self._started = False
    self._dry = False  # whether there was no more to sample when it was last asked

  def read(self, wait: float, now: int) -> Union[Read, core.Blocked]:
    """A batch, or what it waits for after `wait` seconds."""
    if not self._started:
      self._started = True
      for target in (self._keep_reading, self._keep_writing):
        threading.Thread(target=target, name=f'reverb {self._table.name}', daemon=True).start()
    if not self._asked:
      self._asked = True
      self._wanted.release()
    try:
      info, data = self._read.get(wait > 0, wait)
    except queue.Empty:
      return self._waiter.blocked()
    self._waiter.served()
    if isinstance(info, BaseException):
      raise info
    self._asked = self._dry = False
    keys = np.asarray(info.key).reshape(self._batch_size)
    facts = {'probability': info.probability, 'table_size': info.table_size}
    packed = packing.pack_info(
      self._batch_size, now, key=keys, **{k: np.asarray(v).reshape(self._batch_size) for k, v in facts.items()}
    )
    return Read(data, packed, keys)

  def exhausted(self) -> bool:
    """Whether the server allows no more samples; one that is slow to give them does not count."""
    try:
      info = self._client.server_info(timeout=10)[self._table.name]
    except reverb.errors.DeadlineExceededError:
      return False
    usage = reverb_tables.usage(info, self._table)
    # Asked twice without a batch in between, since the last samples may be on their way while the table has no more.
    allowed = self._table.limiter.can_sample(int(usage.inserted), int(usage.sampled), int(usage.size))
    was, self._dry = self._dry, not allowed
    return was and self._dry and self._read.empty()

  def write_priorities(self, read: Any, priorities: np.ndarray) -> None:
    """Gives the items of a batch new priorities [B], a little later."""
    if self._failed is not None:
      raise self._failed
    self._scale.highest = max(self._scale.highest, float(priorities.max()))
    try:
      self._priorities.put((read.keys, priorities / self._scale.highest), timeout=_LONGEST_WAIT)
    except queue.Full:
      raise RuntimeError(f'The priorities of {self._table.name!r} could not be written in time.') from self._failed

  def state(self) -> float:
    """The highest priority so far."""
    return self._scale.highest

  def set_state(self, state: Any) -> None:
    """Continues from `state`, unless that is of another kind of replay, or of several servers."""
    if isinstance(state, float):
      self._scale.highest = max(self._scale.highest, state)

  def close(self) -> None:
    """Stops its threads, which release the server a little later."""
    self._closed.set()
    threading.Thread(target=self._cancel, name='reverb close', daemon=True).start()

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
          self._priorities.task_done()  # Who stops the server can wait until nothing is on its way.
    except BaseException as error:  # The learner raises it.
      self._failed = error

  def _dataset(self) -> Any:
    signature = reverb_tables.signature(self._table, self.codec)
    dataset = reverb.TrajectoryDataset(
      self._client.server_address,
      table=self._table.name,
      dtypes=tf.nest.map_structure(lambda s: s.dtype, signature),
      shapes=tf.nest.map_structure(lambda s: s.shape, signature),
      # The learner is paced by what it takes, so little may be taken ahead of it.
      max_in_flight_samples_per_worker=1 if self._table.is_queue else self._batch_size,
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
      rows = {'all': longest, 'first': 1, 'frames': longest + self._table.items.stack - 1}
      data = {
        name: np.stack([_fill(np.asarray(s.data[name]), rows[which]) for s in samples])
        for name, which in self.codec.which(self._table.items).items()
      }
      yield tf.nest.map_structure(lambda *x: np.stack(x), *[s.info for s in samples]), data


def _columns(data: Mapping[str, Any]) -> Dict[str, Any]:
  return {n: tf.concat(column, axis=1) if isinstance(column, (list, tuple)) else column for n, column in data.items()}


def _fill(rows: np.ndarray, count: int) -> np.ndarray:
  return np.pad(rows, ((0, count - len(rows)), (0, 0)), mode='edge')
