"""The nodes of a program graph. They say in public what an engine or a picture needs to know of them.

Each is a true Launchpad node, so that Launchpad's own launchers run the graph too; ours do no more than give a node its
addresses and call the function that runs it.
"""

from __future__ import annotations

import dataclasses
import functools
from types import MappingProxyType
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

import launchpad as lp
from launchpad import address as lp_address
from launchpad import context as lp_context
from launchpad.launch import worker_manager

from tfacme.graph import host, remote
from tfacme.replay import reverb_server
from tfacme.tensors import devices

_THREADS = 16  # in which a node answers calls, as Courier has it


@dataclasses.dataclass(frozen=True)
class Link:
  """One node's use of another.

  Attributes:
    node: the other node.
    flow: what flows, in a word.
    inward: whether it flows towards the node that has the link.
    seconds: after which a call has failed that was not answered; None leaves it to the other node.
    part: of the other node, if it is that which is used, and not the node's own object.
  """

  node: Node
  flow: str
  inward: bool = False
  seconds: Optional[float] = None
  part: Optional[str] = None

  @property
  def used(self) -> str:
    """The name of what is used."""
    return self.node.name if self.part is None else self.part

  def client(self, user: str) -> Callable[[Any, Callable[[], bool]], Any]:
    """Makes what the node named `user` sees of the other; see `TaskNode.client`."""
    if self.part is not None:
      assert isinstance(self.node, TaskNode)
      return functools.partial(_client_of_part, self.part, self.node.name, self.node.parts[self.part].client, user)
    return self.node.client if self.seconds is None else functools.partial(self.node.client, seconds=self.seconds)


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
    save_seconds: that it has to save something when the run is stopped; None if it saves nothing.
  """

  restarts: Optional[int] = 0
  environment_timeout: Optional[float] = None
  anywhere: bool = False
  processors: float = 1.0
  memory: float = 0.0
  save_seconds: Optional[float] = None


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
    parts: what it has beside its object, by name.
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
    parts: Mapping[str, host.Part] = MappingProxyType({}),
  ):
    self.role = role
    self.index = index if isinstance(index, int) else 0
    self.name = index if isinstance(index, str) else role if index is None else f'{role}-{index}'
    self.links = dict(links)
    self.factory = factory
    self.threads = threads
    self.gpus = False
    self.ends = upkeep.save_seconds is not None
    self.upkeep = upkeep
    self.parts = dict(parts)
    self.called = False
    self.save_seconds = upkeep.save_seconds or 0.0
    self._server_threads = {'thread_pool_size': _THREADS}
    for link in links.values():
      link.node.called = True
      if link.part is not None:  # Each call may wait, and takes a thread meanwhile.
        link.node._server_threads['thread_pool_size'] += 1
    handles = {key: link.node.create_handle() for key, link in links.items()}
    wraps = {key: link.client(self.name) for key, link in links.items()}
    about = host.About(self.name, factory, wraps, self.parts, self.save_seconds, upkeep.environment_timeout)
    super().__init__(functools.partial(host.Host, about), courier_kwargs=self._server_threads, **handles)

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

  def _construct_instance(self) -> host.Host:
    made = super()._construct_instance()
    made.is_called = self.called
    return made

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


def _client_of_part(
  part: str, name: str, make: Callable[[remote.Remote, str], Any], user: str, client: Any, stopping: Callable[[], bool]
) -> Any:
  return make(remote.Remote(client, name, stopping, part=part), user)


def _replay_client(make: Callable[[Any], Any], client: Any, stopping: Callable[[], bool]) -> Any:
  del stopping  # Calls of a Reverb client have time limits of their own.
  return make(client)


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
    {name: object}, those of parts too.
  """
  objects: Dict[str, Any] = {}
  for node in of_program(program):
    if isinstance(node, TaskNode):
      objects.update({name: guard(name, part.make) for name, part in node.parts.items()})
    objects[node.name] = guard(node.name, functools.partial(make_one, node, objects))
  return objects


def make_one(node: Node, objects: Mapping[str, Any]) -> Any:
  """Makes a node's object in this thread, of those of the nodes that it uses."""
  if isinstance(node, ReplayNode):
    return node.in_process()
  with devices.context(node.gpus)():
    parts = {name: objects[name] for name in node.parts}
    return node.factory(**parts, **{key: objects[link.used] for key, link in node.links.items()})


def manage_thread(manager: Any) -> None:
  """Makes `manager` the one that nodes in this thread ask whether to stop, and tell of a failure not raised in it."""
  worker_manager._WORKER_MANAGERS.manager = manager  # Launchpad sets it for its own launchers only.
