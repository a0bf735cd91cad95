"""Calls between nodes: one client and one server for all of them.

Courier hangs for ever on arrays in arguments, waits for ever for a host that is gone, and does not let a signal
through while it waits. So arguments travel as bytes, every call has a time limit, and waiting is done here, where a
stop of the run ends it.
"""

from __future__ import annotations

import ctypes
import math
import pickle
import threading
import time
from types import MappingProxyType
from typing import Any, Callable, Mapping, Optional, Set

import cloudpickle

_LIMIT_SECONDS = 300.0  # A learner that is being traced, or that saves a large replay, takes its time.
_POLL_SECONDS = 0.05  # between looks at whether the run stops


class Stopped(Exception):
  """The run stops while a call was on its way."""


class RemoteError(RuntimeError):
  """A call that failed in the other node, or that it did not answer in time.

  Attributes:
    reached: whether the other node was reached, so that the same call would fail again.
  """

  def __init__(self, what: str, reached: bool = True):
    super().__init__(what)
    self.reached = reached


class Endpoint:
  """The server's side: calls the public methods of an object.

  An answer that many ask for may have a method `packed(pack)`, which calls `pack` with what it stands for, once, and
  returns the bytes.
  """

  def __init__(self, target: Any, parts: Mapping[str, Any] = MappingProxyType({})):
    """`parts` are objects of their own, whose methods are called as 'part/method'."""
    self._target = target
    self._parts = parts

  def call(self, request: bytes) -> bytes:
    """Runs a packed call and returns its packed answer or error."""
    called, args = pickle.loads(request)
    part, _, method = called.rpartition('/')
    try:
      if method.startswith('_'):
        raise AttributeError(f'{method} is not public')
      answer = getattr(self._parts[part] if part else self._target, method)(*args)
      return answer.packed(_pack) if hasattr(answer, 'packed') else _pack(answer)
    except Exception as error:  # The other side gets it as one sentence; this node keeps serving.
      return pickle.dumps((False, f'{type(error).__name__}: {error}'))


def _pack(answer: Any) -> bytes:
  return cloudpickle.dumps((True, answer))


class _Answer:
  """A call that is on its way, with the two methods of a future that are used."""

  def __init__(self, future: Any, name: str, method: str, stopping: Callable[[], bool], seconds: Optional[float]):
    """`seconds` is how long the call may take; without a limit of its own it may, from when somebody waits for it."""
    self._future = future
    self._there = threading.Event()
    there = self._there  # Of the answer itself this would keep hold, and with it of what it says.
    future.add_done_callback(lambda _: there.set())
    self._what = f'{method} of the node {name}'
    self._stopping = stopping
    self._seconds = _LIMIT_SECONDS if seconds is None else seconds
    self._deadline = None if seconds is None else time.monotonic() + seconds

  def done(self) -> bool:
    """Whether the answer is there, or has not come in the time that the call has of its own."""
    return self._future.done() or (self._deadline is not None and time.monotonic() > self._deadline)

  def wait(self, seconds: float) -> bool:
    """Waits for so long, at the most, and says whether the answer is there; a stop of the run ends it too."""
    deadline = time.monotonic() + seconds
    while not self._future.done():
      left = deadline - time.monotonic()
      if left <= 0 or self._stopping():
        return False
      self._there.wait(min(left, _POLL_SECONDS))
    return True

  def result(self, patient: bool = False) -> Any:
    """The answer; waits for it, and if it is to be `patient` as long as that takes."""
    deadline = time.monotonic() + self._seconds if self._deadline is None else self._deadline
    deadline = math.inf if patient else deadline
    while not self.wait(deadline - time.monotonic()):
      if self._stopping():
        raise Stopped()
      raise RemoteError(f'{self._what} did not answer within {self._seconds:g} seconds.')
    try:
      fine, value = pickle.loads(self._future.result())
    except Exception as error:
      if self._stopping():
        raise Stopped() from error
      raise RemoteError(f'{self._what} could not be reached: {error}', reached=False) from error
    if not fine:
      raise RemoteError(f'{self._what} failed: {value}')
    return value


class Remote:
  """The client's side: an object in another node. Its methods are called as if it were here.

  Attributes:
    prompt: see `counting.CounterClient`.
  """

  prompt = False

  def __init__(
    self, client: Any, name: str, stopping: Callable[[], bool], seconds: Optional[float] = None, part: str = ''
  ):
    """Initializes the client.

    Args:
      client: of Courier.
      name: of the other node.
      stopping: whether calls are not waited for any more.
      seconds: after which a call has failed that was not answered; None is a limit for those who wait for it.
      part: of the other node, whose methods are called; '' is its object.
    """
    # The destructor of a Courier client waits, without end, for a call to a server that is gone: only `close` may cause
    # it, which has given all calls up before.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))
    self._client = client
    self._name = name
    self._stopping = stopping
    self._seconds = seconds
    self._prefix = f'{part}/' if part else ''
    self._calls: Set[Any] = set()  # that are on their way

  def begin(self, method: str, *args: Any) -> Any:
    """Starts a call and returns what will have its answer."""
    if self._client is None:
      raise Stopped()
    future = self._client.futures.call(cloudpickle.dumps((self._prefix + method, args)))
    self._calls.add(future)
    future.add_done_callback(self._calls.discard)
    return _Answer(future, self._name, method, self._stopping, self._seconds)

  def close(self) -> None:
    """Gives up the calls that are on their way, and the connection with its threads."""
    client, self._client = self._client, None
    if client is None:
      return
    calls = list(self._calls)
    for call in calls:
      call.cancel()
    if calls:
      time.sleep(_POLL_SECONDS)  # Courier's own thread has to see that first.
    ctypes.pythonapi.Py_DecRef(ctypes.py_object(client))

  def __getattr__(self, method: str) -> Callable[..., Any]:
    if method.startswith('_'):
      raise AttributeError(method)
    return lambda *args: self.begin(method, *args).result()
