"""Writing in the background, so that no step of a run waits for a tracker."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from typing import Any, Callable, List, Sequence

_LOG = logging.getLogger('tfacme')
_MOST = 2_000  # items that wait
_CLOSE_SECONDS = 60.0  # for what waits in the end


class Background:
  """A thread that writes what it is given, in order; several at once, where several wait.

  A tracker is no part of a run: where it is too slow, what does not fit is left out, and once it fails, all is. Either
  is said once. The CSV files have all rows.
  """

  def __init__(self, what: str, name: str, write: Callable[[Sequence[Any]], None]):
    """Starts the thread.

    Args:
      what: it writes to, for warnings.
      name: of the node whose rows it writes.
      write: writes items; may raise anything.
    """
    self._what, self._name, self._write = what, name, write
    self._items: queue.Queue[Any] = queue.Queue(_MOST)
    self._warned = self._closed = self._failed = False
    self._thread = threading.Thread(target=self._run, name=f'{name} log', daemon=True)
    self._thread.start()

  def put(self, item: Any) -> None:
    """Has an item written, soon; does not wait."""
    try:
      self._items.put_nowait(item)
    except queue.Full:
      self._warn('takes its rows too slowly, so some are left out')

  def close(self) -> None:
    """Waits until all is written; nothing may follow."""
    if self._closed:
      return
    self._closed = True
    with contextlib.suppress(queue.Full):
      self._items.put(None, timeout=_CLOSE_SECONDS)
    self._thread.join(_CLOSE_SECONDS)
    if self._thread.is_alive():
      self._warn('did not take the last ones in time')

  def _run(self) -> None:
    going_on = True
    while going_on:
      items = self._waiting()
      going_on = items[-1] is not None
      items = [item for item in items if item is not None]
      if items and not self._failed:
        self._try(items)

  def _waiting(self) -> List[Any]:
    """All items that wait now; waits for the first."""
    items = [self._items.get()]
    while items[-1] is not None and not self._items.empty():
      items.append(self._items.get_nowait())
    return items

  def _try(self, items: Sequence[Any]) -> None:
    try:
      self._write(items)
    except Exception as error:  # pylint: disable=broad-exception-caught  # Whatever a library or a network has.
      self._failed = True
      self._warned = False
      self._warn(f'failed ({type(error).__name__}: {error}), and gets no more')

  def _warn(self, trouble: str) -> None:
    if not self._warned:
      self._warned = True
      _LOG.warning('%s, rows of %s: it %s; the CSV file has all of them.', self._what, self._name, trouble)
