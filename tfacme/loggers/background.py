"""Writing in the background, so that no step of a run waits for a tracker, and none of its troubles is the run's."""

from __future__ import annotations

import atexit
import collections
import logging
import threading
import time
from typing import Any, Callable, Deque, List, Protocol, Sequence

_LOG = logging.getLogger('tfacme')
_MOST = 10_000  # items that wait
CLOSE_SECONDS = 60.0  # for which what is pending at the end of a run is waited for
_SILENT_SECONDS = 5.0  # of that, without a line


class Sink(Protocol):
  """What is written to. All but `abandon` is called in the background's thread; all of it may raise anything."""

  def begin(self) -> None:
    """Makes it ready; called once, before all else."""
    ...

  def write(self, items: Sequence[Any]) -> None:
    """Writes items, in their order."""
    ...

  def end(self) -> None:
    """Called after the last item, also after a `write` that failed."""
    ...

  def abandon(self) -> None:
    """Called if its time is up: what is still being done must not keep this process from ending."""
    ...


class Background:
  """A thread that writes what it is given, in order; several at once, where several wait.

  A tracker is no part of a run: where it is too slow, what does not fit is left out, and once it fails, all is. Either
  is said once. The CSV files have all rows.
  """

  def __init__(self, what: str, name: str, sink: Sink):
    """Starts the thread.

    Args:
      what: it writes to, for warnings.
      name: of the node whose rows it writes.
      sink: where to.
    """
    self.what, self.name, self._sink = what, name, sink
    self._items: Deque[Any] = collections.deque()
    self._changed = threading.Condition()
    self._warned = self._closed = self._failed = False
    self._thread = threading.Thread(target=self._run, name=f'{name} log', daemon=True)
    self._thread.start()

  def put(self, item: Any) -> None:
    """Has an item written, soon; does not wait."""
    if self._failed:
      return
    with self._changed:
      fits = len(self._items) < _MOST
      if fits:
        self._items.append(item)
        self._changed.notify()
    if not fits:
      self._warn('takes its rows too slowly, so some are left out')

  def close(self) -> None:
    """Says that nothing follows; does not wait: see `wait`."""
    if self._closed:
      return
    with self._changed:
      self._closed = True
      self._changed.notify()
    _PENDING.append(self)
    atexit.unregister(wait)  # Before the libraries' own, of which the last one that was registered is the first.
    atexit.register(wait)

  def is_over(self, deadline: float) -> bool:
    """Whether all is written; waits until then, or until a deadline on the monotonic clock."""
    self._thread.join(max(0.0, deadline - time.monotonic()))
    return not self._thread.is_alive()

  def abandon(self) -> None:
    """Waits no more."""
    self._warn('did not take the last ones in time')
    self._failed = self._warned = True  # What it still runs into is no news.
    self._try(self._sink.abandon)

  def _run(self) -> None:
    begun = self._try(self._sink.begin)
    while items := self._waiting():
      if not self._failed:
        self._try(self._sink.write, items)
    if begun:
      self._try(self._sink.end)

  def _waiting(self) -> List[Any]:
    """All items that wait now; waits for the first, and is empty once nothing follows."""
    with self._changed:
      self._changed.wait_for(lambda: self._items or self._closed)
      items = list(self._items)
      self._items.clear()
    return items

  def _try(self, function: Callable[..., None], *arguments: Any) -> bool:
    try:
      function(*arguments)
    except BaseException as error:  # pylint: disable=broad-exception-caught  # Whatever a library or a network has.
      if not self._failed:
        self._failed, self._warned = True, False
        self._warn(f'failed ({type(error).__name__}: {error}), and gets no more')
      return False
    return True

  def _warn(self, trouble: str) -> None:
    if not self._warned:
      self._warned = True
      _LOG.warning('%s, rows of %s: it %s; the CSV file has all of them.', self.what, self.name, trouble)


_PENDING: List[Background] = []  # closed in this process, and not waited for yet


def wait(seconds: float = CLOSE_SECONDS) -> None:
  """Waits until closed loggers have written all, together at most so long, and warns of those that have not.

  An engine calls it at the end of a run, in the processes of its nodes.
  """
  begun = time.monotonic()
  pending = [_PENDING.pop() for _ in range(len(_PENDING))][::-1]
  pending = [one for one in pending if not one.is_over(begun + min(seconds, _SILENT_SECONDS))]
  if pending and seconds > _SILENT_SECONDS:
    whats, names = (', '.join(dict.fromkeys(getattr(one, part) for one in pending)) for part in ('what', 'name'))
    _LOG.warning('Waiting for %s to take the last rows of %s.', whats, names)
    pending = [one for one in pending if not one.is_over(begun + seconds)]
  for one in pending:
    one.abandon()


def within(seconds: float, function: Callable[[], Any]) -> Any:
  """What a function returns, or raises, within so many seconds.

  Raises:
    TimeoutError: it takes longer. It goes on in a thread, and what comes of it is lost.
  """
  results: List[Any] = []
  raised: List[Exception] = []

  def call() -> None:
    try:
      results.append(function())
    except Exception as error:  # pylint: disable=broad-exception-caught  # It is raised again.
      raised.append(error)

  thread = threading.Thread(target=call, name='tracker', daemon=True)
  thread.start()
  thread.join(seconds)
  if raised:
    raise raised[0]
  if not results:
    raise TimeoutError(f'there was no answer within {seconds:g} s')
  return results[0]
