"""The nodes of a program graph. They say in public what an engine or a picture needs to know of them.

Each is a true Launchpad node, so that Launchpad's own launchers run the graph too; ours do no more than give a node its
addresses and call the function that runs it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import os
import platform
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

import launchpad as lp
from launchpad import address as lp_address
from launchpad import context as lp_context
from launchpad.launch import worker_manager

from tfacme import core
from tfacme.graph import remote
from tfacme.replay import reverb_server
from tfacme.tensors import devices
from tfacme.workers import failures, hanging

_WAIT_SECONDS = 0.5  # that a worker waits for what it needs before it looks whether the run stops
STARTING = 'starting and compiling'  # what a node does while its object is made
_NOTE_SECONDS = 2.0  # for which a worker is blocked before the counter is told


@dataclasses.dataclass(frozen=True)
class Link:
  """One node's use of another.

  Attributes:
    node: the other node.
    flow: what flows, in a word.
    inward: whether it flows towards the node that has the link.
    seconds: after which a call has failed that was not answered; None leaves it to the other node.
  """

  node: Node
  flow: str
  inward: bool = False
  seconds: Optional[float] = None

  def client(self) -> Callable[[Any, Callable[[], bool]], Any]:
    """Makes what the one node sees of the other; see `TaskNode.client`."""
    if self.seconds is None:
      return self.node.client
    return functools.partial(self.node.client, seconds=self.seconds)


@dataclasses.dataclass(frozen=True)
class Upkeep:
  """Where an engine may place a node, and what it does about one that fails or hangs.

  Attributes:
    restarts: how many times an hour it is made anew if it fails; 0 ends the run, and None leaves it to the engine. More
      than 0 are for leaves, which hold nothing that a checkpoint does not.
    environment_timeout: seconds after which a call of its environment counts as failed; None waits for ever.
    anywhere: whether it may be on a host that does not have the run's folder.
    processors: that it takes of such a host, in a cluster that counts them.
    memory: GB that it takes of one, likewise.
  """

  restarts: Optional[int] = 0
  environment_timeout: Optional[float] = None
  anywhere: bool = False
  processors: float = 1.0
  memory: float = 0.0


class TaskNode(lp.CourierNode):
  """A node that serves an object, and steps it if it is a worker.

  Attributes:
    role: 'actor', 'learner', 'counter', ...
    index: among the nodes of its role; given as a text, it is the node's name.
    name: of the node and of its logs.
    links: the nodes that it uses, by the names of its factory's arguments.
    factory: makes its object; takes the linked objects.
    threads: that TensorFlow may use if it has a process to itself; 0 leaves it to TensorFlow.
    gpus: whether it computes on the GPUs of its host, if there are any.
    ends: whether the run ends once it is done: that of a node that has something to save.
    upkeep: where it may be, and what is done if it fails or hangs.
    called: whether other nodes use it, which takes a server. A thread that hangs keeps its server, and whatever is made
      in its place could not have another one at its address: so those have none whose environments may hang.
    save_seconds: that it has to save something when the run is stopped; None if it saves nothing.
  """

  def __init__(
    self,
    role: str,
    index: Union[int, str, None],
    factory: Callable[..., Any],
    links: Mapping[str, Link],
    threads: int = 0,
    upkeep: Upkeep = Upkeep(),
    save_seconds: Optional[float] = None,
  ):
    self.role = role
    self.index = index if isinstance(index, int) else 0
    self.name = index if isinstance(index, str) else role if index is None else f'{role}-{index}'
    self.links = dict(links)
    self.factory = factory
    self.threads = threads
    self.gpus = False
    self.ends = save_seconds is not None
    self.upkeep = upkeep
    self.called = False
    self.save_seconds = save_seconds or 0.0
    for link in links.values():
      link.node.called = True
    handles = {key: link.node.create_handle() for key, link in links.items()}
    wraps = {key: link.client() for key, link in links.items()}
    make = functools.partial(Host, self.name, factory, wraps, self.save_seconds, upkeep.environment_timeout)
    super().__init__(make, **handles)

  @property
  def client(self) -> Callable[..., Any]:
    """Makes what another node sees of this one, from a Courier client and a function that says if the run stops.

    It is closed (`close()`) at the end of the node that uses it.
    """
    return functools.partial(_remote_client, self.name)

  def run(self) -> None:
    """Runs the node; see `Host`. Launchpad's launchers are notified when the run ends."""
    self._instance = None  # Launchpad keeps the one that it has made; a node that is made anew has another one.
    super().run()
    if self.ends:
      self.launch_context.program_stopper()

  def _construct_instance(self) -> Host:
    host = super()._construct_instance()
    host.is_called = self.called
    return host

  def __getstate__(self) -> Dict[str, Any]:
    # What runs elsewhere needs no other nodes, only their addresses, which the handles have.
    return {**self.__dict__, 'links': {}}


class ReplayNode(lp.ReverbNode):
  """A node that serves replay tables through Reverb.

  Attributes:
    role, index, name, links, threads, gpus, ends, upkeep: as of a `TaskNode`.
    in_process: makes the replay of a run in one thread, which needs no server.
    most_bytes: that its tables take in memory at the most, before anything compresses them.
  """

  role = 'replay'
  threads = 0
  gpus = False
  ends = False
  upkeep = Upkeep()

  def __init__(
    self,
    name: str,
    index: int,
    tables: Callable[[], Sequence[Any]],
    checkpointer: Callable[[], Any],
    client: Callable[[Any], Any],
    in_process: Callable[[], Any],
    most_bytes: int = 0,
  ):
    super().__init__(tables, checkpoint_ctor=checkpointer)
    self.name = name
    self.index = index
    self.links: Dict[str, Link] = {}
    self.in_process = in_process
    self.most_bytes = most_bytes
    self._client = client

  @property
  def client(self) -> Callable[[Any, Callable[[], bool]], Any]:
    """Makes a `streams.Replay` from a Reverb client, with a `close()` as that of a `TaskNode`'s."""
    return functools.partial(_replay_client, self._client)

  def run(self) -> None:
    """Serves until the run stops."""
    port = lp_address.get_port_from_address(self._address.resolve())
    checkpointer = self._checkpoint_ctor() if self._checkpoint_ctor is not None else None
    server = reverb_server.start(self._priority_tables_fn(), port, checkpointer)
    lp.stop_event().wait()
    server.stop()


Node = Union[TaskNode, ReplayNode]


def _remote_client(
  name: str, client: Any, stopping: Callable[[], bool], seconds: Optional[float] = None
) -> remote.Remote:
  return remote.Remote(client, name, stopping, seconds)


def _replay_client(make: Callable[[Any], Any], client: Any, stopping: Callable[[], bool]) -> Any:
  del stopping  # Calls of a Reverb client have time limits of their own.
  return make(client)


class Host:
  """Runs one node's object in a thread or process of its own."""

  def __init__(
    self,
    name: str,
    factory: Callable[..., Any],
    wraps: Mapping[str, Callable[..., Any]],
    save_seconds: float,
    environment_timeout: Optional[float],
    **clients: Any,
  ):
    self._name = name
    self._save_seconds = save_seconds
    self._environment_timeout = math.inf if environment_timeout is None else environment_timeout
    self._manager: Any = worker_manager.get_worker_manager()  # Launchpad's own can't end a node.
    self._stop = lp.stop_event()
    self._saves_until = 0.0  # on the monotonic clock
    with contextlib.ExitStack() as closing:
      links = {key: wraps[key](client, self._gives_up) for key, client in clients.items()}
      for link in links.values():
        closing.callback(link.close)
      self._counter = links.get('counter')
      self._note({'doing': STARTING, 'host': platform.node(), 'process': os.getpid()})
      self._object = factory(**links)
      self._closing = closing.pop_all()
    self._endpoint = remote.Endpoint(self._object)
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
        # A server of Courier's keeps its host for good, where no garbage collector sees it. That has to be all: by way
        # of who runs the node it would be the whole program, with the server of its replay.
        self._manager = None
        if self.is_called:
          self._server.Stop()
          self._server.Join()

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


def of_program(program: lp.Program) -> List[Node]:
  """The nodes of a program, in the order in which they were added."""
  return program.get_all_nodes()


def bind(program: lp.Program, address: Callable[[Any], Optional[lp.AbstractAddressBuilder]]) -> None:
  """Prepares the nodes of a program to be run by an engine of ours.

  Args:
    program: whose nodes have not been bound yet.
    address: gives the address of a node; None of one that is not known yet, and that no other node calls.
  """
  for label, group in program.groups.items():
    for node in group:
      node._initialize_context(lp_context.LaunchType.TEST_MULTI_THREADING, launch_config=None)
      for handle in node.input_handles:
        handle.connect(node, label)
      known = address(node)
      for place in node.addresses if known is not None else ():
        place.bind(known)


def make_all(program: lp.Program, guard: Callable[[str, Callable[[], Any]], Any]) -> Dict[str, Any]:
  """Makes the objects of all nodes in this thread, each with the objects that it uses.

  Args:
    program: whose nodes to make.
    guard: called with a node's name and a function that makes its object; returns the object.

  Returns:
    {name: object}.
  """
  objects: Dict[str, Any] = {}
  for node in of_program(program):
    objects[node.name] = guard(node.name, functools.partial(make_one, node, objects))
  return objects


def make_one(node: Node, objects: Mapping[str, Any]) -> Any:
  """Makes a node's object in this thread, of those of the nodes that it uses."""
  if isinstance(node, ReplayNode):
    return node.in_process()
  with devices.context(node.gpus)():
    return node.factory(**{key: objects[link.node.name] for key, link in node.links.items()})


def manage_thread(manager: Any) -> None:
  """Makes `manager` the one that nodes in this thread ask whether to stop, and tell of a failure not raised in it."""
  worker_manager._WORKER_MANAGERS.manager = manager  # Launchpad sets it for its own launchers only.
