"""An iterator that works on its next element while the one before it is used."""

from __future__ import annotations

import threading
import time
from typing import Callable, Generic, Iterator, Optional, TypeVar

_Element = TypeVar('_Element')
GiveWay = Callable[[], None]

_PAUSE = 1e-4  # seconds: long enough for another thread of Python to take its turn
_CLOSE_SECONDS = 1.0  # for which a thread that is closed is waited for


class _Closed(Exception):
  """Nobody takes what is being made; said to who makes it, and to who asks for more."""


class Ahead(Generic[_Element]):
  """One element ahead of who takes them, in a thread; the elements, and their order, are those of the iterator.

  What makes an element works beside a learner, whose every call into TensorFlow ends in Python: it calls `give_way`
  between its own steps, such as two episodes, where the learner then takes its turn, and where it learns that it is
  closed.
  """

  def __init__(self, make: Callable[[GiveWay], Iterator[_Element]]):
    """Args: make: makes the iterator from `give_way`."""
    self._iterator = make(self._give_way)
    self._wanted = threading.Event()  # Somebody waits for the element.
    self._lock = threading.Lock()  # It may be closed while another thread takes an element.
    self._closed = False
    self._element: Optional[_Element] = None
    self._error: Optional[BaseException] = None
    self._thread: Optional[threading.Thread] = None

  def __iter__(self) -> Ahead[_Element]:
    return self

  def ready(self, wait: Optional[float] = None) -> bool:
    """Whether the next element is made, after at most `wait` seconds; None is as long as it takes."""
    if self._thread is None:
      self._start()
    self._wanted.set()
    assert self._thread is not None
    self._thread.join(wait)
    return not self._thread.is_alive()

  def __next__(self) -> _Element:
    self.ready()
    self._wanted.clear()
    if self._error is not None:
      raise self._error
    element, self._element = self._element, None
    self._start()
    return element  # type: ignore[return-value]

  def close(self) -> None:
    """Stops the thread, and drops what it made; another thread that waits for that is told.

    A thread that does not come to `give_way` soon, as with a disk that does not answer, is left to end there by itself.
    """
    with self._lock:
      self._closed = True
    if self._thread is not None:
      self._thread.join(_CLOSE_SECONDS)
    self._element = None

  def _start(self) -> None:
    with self._lock:
      if self._closed:
        raise _Closed
      self._thread = threading.Thread(target=self._make_one, name='reading ahead', daemon=True)
      self._thread.start()

  def _make_one(self) -> None:
    try:
      self._element = next(self._iterator)
    except BaseException as error:  # for the thread that takes it, StopIteration too
      self._error = error

  def _give_way(self) -> None:
    if self._closed:
      raise _Closed
    if not self._wanted.is_set():
      time.sleep(_PAUSE)
