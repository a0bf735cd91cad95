"""Runs the object of a node, in a thread or a process of its own: what Launchpad's launchers, and ours, call."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import platform
import time
from typing import Any, Callable, Dict, Mapping, Optional

import launchpad as lp
from launchpad.launch import worker_manager

from tfacme import core
from tfacme.graph import remote
from tfacme.workers import failures, hanging

STARTING = 'starting and compiling'  # what a node does while its object is made
_WAIT_SECONDS = 0.5  # that a worker waits for what it needs before it looks whether the run stops
_NOTE_SECONDS = 2.0  # for which a worker is blocked before the counter is told


@dataclasses.dataclass(frozen=True)
class Part:
  """An object that a node has beside its own one, which takes it by its name; others may use it by itself.

  Attributes:
    make: makes it, for nodes in one thread.
    shared: makes of it what nodes in several threads and processes share, with a `close()`.
    client: makes what another node sees of that, from a `remote.Remote` and the name of the other node.
    role: as what it is drawn.
    most_bytes: that it takes in memory at the most.
  """

  make: Callable[[], Any]
  shared: Callable[[Any], Any]
  client: Callable[[remote.Remote, str], Any]
  role: str
  most_bytes: int = 0


@dataclasses.dataclass(frozen=True)
class About:
  """What a host has to know of its node; see `TaskNode`, but for `wraps`: what makes clients of other nodes."""

  name: str
  factory: Callable[..., Any]
  wraps: Mapping[str, Callable[..., Any]]
  parts: Mapping[str, Part]
  save_seconds: float
  environment_timeout: Optional[float]


class Host:
  """Runs one node's object in a thread or process of its own."""

  def __init__(self, about: About, **clients: Any):
    self._name = about.name
    self._save_seconds = about.save_seconds
    self._environment_timeout = math.inf if about.environment_timeout is None else about.environment_timeout
    self._manager: Any = worker_manager.get_worker_manager()  # Launchpad's own can't end a node.
    self._stop = lp.stop_event()
    self._saves_until = 0.0  # on the monotonic clock
    with contextlib.ExitStack() as closing:
      links = {key: about.wraps[key](client, self._gives_up) for key, client in clients.items()}
      for link in links.values():
        closing.callback(link.close)
      self._counter = links.get('counter')
      self._note({'doing': STARTING, 'host': platform.node(), 'process': os.getpid()})
      self._parts = {key: part.shared(part.make()) for key, part in about.parts.items()}
      self._object = about.factory(**links, **self._parts)
      self._closing = closing.pop_all()
    self._endpoint: Any = remote.Endpoint(self._object, self._parts)
    self._server: Any = None
    self.is_called = True  # by other nodes, and so has to serve

  def set_courier_server(self, server: Any) -> None:
    """Launchpad leaves the server to us: it has to answer until the run ends, not only while the worker works."""
    self._server = server

  def call(self, request: bytes) -> bytes:
    """The one method that other nodes call; see `remote`."""
    return self._endpoint.call(request)

  def run(self) -> None:
    """Serves, and steps the object if it is a worker."""
    with self._closing:
      if self.is_called:
        self._server.Start()
      try:
        if hasattr(self._object, 'step'):
          with hanging.looked_after(self._tell_of_hanging, min(hanging.LONG_SECONDS, self._environment_timeout)):
            self._work(self._object)
        else:
          self._note({'doing': None})
          self._stop.wait()
      finally:
        failures.close(self._object)
        for part in self._parts.values():
          part.close()
        if self.is_called:
          self._server.Stop()
          self._server.Join()
        # A server of Courier's keeps its host for good, where no garbage collector sees it. That has to be all: by way
        # of who runs the node it would be the whole program, and by way of the learner its replay.
        self._manager = self._object = self._endpoint = None
        self._parts = {}

  def _note(self, notes: Dict[str, Any]) -> None:
    """Has a display show it. Nobody waits for it: the counter may be starting too."""
    if self._counter is not None:
      self._counter.begin('note', self._name, notes)

  def _tell_of_hanging(self, call: Optional[hanging.Call]) -> None:
    fail = getattr(self._manager, 'fail', None)
    if call is not None and call.seconds >= self._environment_timeout and fail is not None:
      limit = f'{self._environment_timeout:g} s (environment_timeout)'
      fail(f'{call.stack}TimeoutError: {call.method} of the environment did not return within {limit}')
    elif call is None or call.seconds >= hanging.LONG_SECONDS:
      told = None if call is None else str(call)
      self._note({'hangs_in': told, 'hangs_seconds': 0.0 if call is None else call.seconds})

  def _gives_up(self) -> bool:
    """Whether calls of other nodes are not waited for any more: the run stops, and nothing is being saved."""
    return self._stop.is_set() and time.monotonic() > self._saves_until

  def _work(self, worker: core.Worker) -> None:
    try:
      self._step_until_stop(worker)
    except remote.Stopped:
      pass
    if self._stop.is_set() and hasattr(worker, 'interrupt') and getattr(self._manager, 'saves', True):
      self._saves_until = time.monotonic() + self._save_seconds
      worker.interrupt()

  def _step_until_stop(self, worker: core.Worker) -> None:
    worker.tally.notes['doing'] = None
    noted: Optional[str] = None
    since = time.monotonic()
    while not self._stop.is_set():
      outcome = worker.step(_WAIT_SECONDS)
      if outcome is core.Progress.DONE:
        if noted is not None:
          worker.tally.notes['blocked'] = None
          worker.tally.report()
        if hasattr(worker, 'get'):  # Others still want its variables.
          self._stop.wait()
        return
      reason = outcome.reason if isinstance(outcome, core.Blocked) and not outcome.idle else None
      if reason != noted and (reason is None or time.monotonic() - since > _NOTE_SECONDS):
        worker.tally.notes['blocked'] = noted = reason
        worker.tally.report()
      if reason is None:
        since = time.monotonic()
