"""The engine that gives each node a process on a Ray cluster.

Each process is an actor of Ray. It says where its node will listen on the host where it was placed; once all have said
so, the nodes are sent there with all addresses. Actors go where there is room, one processor each, and a GPU where they
compute on one; relays, which take next to nothing of a host, are spread over all. All others stay on the host of this
process, where the run's folder is, and share a GPU of it. The cluster is the one at RAY_ADDRESS, as Ray itself has it;
without one, a cluster is started on this machine that ends with the run.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import signal
import socket
import tempfile
import threading
import time
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

import cloudpickle
import launchpad as lp
import ray
from ray import exceptions
from ray.util import scheduling_strategies

from tfacme import errors, loggers
from tfacme.graph import nodes
from tfacme.launching import forking, hosting, quiet, supervising, travelling
from tfacme.launching.outcomes import Interrupted
from tfacme.launching.stopping import StopRequest
from tfacme.launching.supervising import Failure

_LOG = logging.getLogger('tfacme')
_PATIENCE = 10.0  # seconds without room for a node after which a line says so
_ADDRESS = 'RAY_ADDRESS'
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_most = {'CPU': 0, 'GPU': 0}  # that the cluster had when a run of this process began
_CALLS = 4  # of one process at once: what waits for its outcome, and what asks it to stop


def run(program: lp.Program, on_status: Callable[[Dict[str, Any]], None], stop: StopRequest) -> None:
  """Runs each node in a process of a cluster; see `launching.launch`."""
  with quiet.filtered_stderr(), _cluster(program):
    _check_room(program)
    hosting.prepare()
    counter = hosting.handle_of_counter(program)
    share, places = _share_of_gpus(program), {}
    for anywhere in (False, True):  # Those that are here first: others might take the GPUs of this host.
      placed = [node for node in nodes.of_program(program) if node.upkeep.anywhere == anywhere]
      places.update({node.name: _Place(node, share) for node in placed})
      _wait_for(places, stop)
    try:
      nodes.bind(program, lambda node: places[node.name].address())
    except exceptions.RayError as error:
      raise errors.UserError(f'The cluster could not start the process of a node: {error}') from error
    crew = supervising.Crew(program, lambda node: _Task(node, share, places.pop(node.name, None)))
    supervising.supervise(crew, counter.dereference(), on_status, stop)


@contextlib.contextmanager
def _cluster(program: lp.Program) -> Iterator[None]:
  """Connects to the cluster, or starts one on this machine with room for the program."""
  given = os.environ.get(_ADDRESS)
  with contextlib.ExitStack() as left:
    options: Dict[str, Any] = {'address': given or 'local', 'logging_level': logging.ERROR}
    if not given:
      folder = left.enter_context(tempfile.TemporaryDirectory(prefix='tfacme-ray-', ignore_cleanup_errors=True))
      options.update(num_cpus=len(nodes.of_program(program)), include_dashboard=False, _temp_dir=folder)
    else:
      if given.rpartition(':')[2].isdigit() and '//' not in given:
        _check_answers(given)  # Ray itself would try for minutes.
      mine = travelling.modules()
      if mine:
        options['runtime_env'] = {'py_modules': mine}
    handlers = {signum: signal.getsignal(signum) for signum in _SIGNALS}
    left.callback(ray.shutdown)  # also of what was only begun
    try:
      ray.init(**options)
    # Of these a RuntimeError is another version of Ray there, and one of Ray's own a module that is too large.
    except (ConnectionError, RuntimeError, ValueError, exceptions.RayError) as error:
      raise errors.UserError(f'The Ray cluster at {given} ({_ADDRESS}) does not take this run: {error}') from error
    if threading.current_thread() is threading.main_thread():
      for signum, handler in handlers.items():  # Ray has taken them.
        signal.signal(signum, handler)
    yield


def _check_answers(address: str) -> None:
  host, _, port = address.rpartition(':')
  try:
    socket.create_connection((host, int(port)), _PATIENCE).close()
  except OSError as error:
    raise errors.UserError(f'Nothing answers at {address} ({_ADDRESS}): {error.strerror or error}.') from error


def _check_room(program: lp.Program) -> None:
  """Raises a `UserError` if the cluster never had room for all; a run that begins again may have lost a host."""
  actors = [node for node in nodes.of_program(program) if node.upkeep.anywhere and node.upkeep.processors]
  for resource, what, takers, taken in (
    ('CPU', 'processor', len(actors), 0),
    ('GPU', 'GPU', sum(node.gpus for node in actors), bool(_share_of_gpus(program))),
  ):
    _most[resource] = max(_most[resource], int(ray.cluster_resources().get(resource, 0)))
    left = max(0, _most[resource] - taken)
    if takers > left:
      raise errors.UserError(
        f'The {takers} actors of this run take a {what} each, and the Ray cluster has {left} for them: make it larger, '
        'or take fewer actors with more slots each (--actors, --slots).'
      )


def _share_of_gpus(program: lp.Program) -> float:
  """How much of a GPU each node takes that computes on that of this host, all together one; 0 if there is none."""
  here = ray.get_runtime_context().get_node_id()
  there = sum(host['Resources'].get('GPU', 0.0) for host in ray.nodes() if host['NodeID'] == here)
  sharing = sum(node.gpus and not node.upkeep.anywhere for node in nodes.of_program(program))
  return 1.0 / sharing if sharing and there >= 1 else 0.0


class _Process:
  """Runs a node, in a process of the cluster. Its methods are called by threads of Ray's."""

  def __init__(self, threads: int, gpus: bool):
    """Initializes the process.

    Args:
      threads: that TensorFlow may use; 0 leaves it to TensorFlow.
      gpus: whether its node computes on GPUs.
    """
    forking.lead_group()
    faulthandler.enable(os.dup(2))  # Past the filter, which dies with the process.
    hosting.prepare(threads, gpus)
    self._ports = contextlib.ExitStack()
    self._manager = hosting.Manager(threading.Event(), lambda account: self._end(Failure(account)))
    self._ended = threading.Event()
    self._failure: Optional[Failure] = None

  def address(self) -> Tuple[str, int]:
    """Where its node will listen, the host and a port that it holds."""
    return ray.util.get_node_ip_address(), hosting.hold_port(self._ports)

  def start(self, packed: bytes) -> None:
    """Begins to run a node, as `cloudpickle` has packed its function."""
    threading.Thread(target=self._run, args=(packed,), name='node', daemon=True).start()

  def outcome(self) -> Optional[Failure]:
    """Waits until its work has ended: how it failed, or None."""
    self._ended.wait()
    return self._failure

  def close(self) -> None:
    """Waits until its logs have written what they had left."""
    loggers.wait()

  def stop(self, save: bool) -> None:
    """Asks the node to stop, and to save before if it has something to."""
    self._manager.stop(save)

  def _run(self, packed: bytes) -> None:
    nodes.manage_thread(self._manager)
    with quiet.filtered_stderr():
      try:
        _unpacked(packed)()
        self._end(None)
      except BaseException as error:
        self._end(supervising.failure(error))

  def _end(self, failure: Optional[Failure]) -> None:
    if not self._ended.is_set():
      self._failure = failure
      self._ended.set()


def _unpacked(packed: bytes) -> Callable[[], None]:
  try:
    return cloudpickle.loads(packed)
  except (AttributeError, ImportError) as error:  # The first where a module is another one than here.
    host = ray.util.get_node_ip_address()
    raise errors.UserError(
      f'The host {host} can not import what the run needs ({error}): install it there, as on this one.'
    ) from error


class _Place:
  """A process that was asked for, which may still wait for room.

  Attributes:
    takes: what has to be free for it, in words.
  """

  def __init__(self, node: nodes.Node, share: float):
    """Args: share: how much of a GPU of this host the node takes if it is here and computes on one."""
    here = scheduling_strategies.NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    anywhere = node.upkeep.anywhere
    processors = node.upkeep.processors if anywhere else 0
    # What takes no processor would all be on one host, if Ray were not told.
    strategy = here if not anywhere else 'DEFAULT' if processors else 'SPREAD'
    options: Dict[str, Any] = {'num_cpus': processors, 'scheduling_strategy': strategy}
    options['num_gpus'] = (1 if anywhere else share) if node.gpus else 0
    gpus = bool(options['num_gpus'])
    self.takes = 'a processor and a GPU' if anywhere and gpus else 'a GPU' if gpus else 'a processor'
    if anywhere and not processors:
      self.takes = 'a host'
    named = type(node.name, (_Process,), {})  # Ray names the process, and the lines that it prints, by its class.
    self.process = ray.remote(named).options(max_concurrency=_CALLS, **options).remote(node.threads, gpus)
    self._address = self.process.address.remote()

  def there(self) -> bool:
    """Whether it is known where it is."""
    return _is_ready(self._address)

  def address(self) -> lp.AbstractAddressBuilder:
    """Where its node will listen; raises Ray's error if it is gone."""
    return hosting.Address(*ray.get(self._address))


def _is_ready(reference: Any) -> bool:
  return bool(ray.wait([reference], timeout=0)[0])


def _wait_for(places: Dict[str, _Place], stop: StopRequest) -> None:
  """Waits until all have room."""
  told = time.monotonic()
  while not all(place.there() for place in places.values()):
    if stop.signum is not None:
      raise Interrupted(stop.signum, saved=False)
    if time.monotonic() - told > _PATIENCE:
      told = time.monotonic()
      waiting = [f'{name} ({place.takes})' for name, place in places.items() if not place.there()]
      _LOG.warning('The cluster has no room yet for %s.', errors.listed(waiting))
    time.sleep(0.05)


class _Task:
  """A node in a process of the cluster; one that is made anew is sent there once there is room."""

  def __init__(self, node: nodes.Node, share: float, place: Optional[_Place]):
    self.name = node.name
    self._node = node
    self._place = place or _Place(node, share)
    self._outcome: Any = None  # of its work; None until the node is sent
    self._closed: Any = None  # what its logs had left; None until its work has ended
    self._failure: Optional[Failure] = None
    self._killed = False
    self._told = time.monotonic()  # when it was last said that there is no room
    if place is not None:
      self._send()

  @property
  def failure(self) -> Optional[Failure]:
    self._look()
    return self._failure

  def running(self) -> bool:
    return self.working() or not (self._killed or _is_ready(self._closed))

  def working(self) -> bool:
    self._look()
    return self._closed is None and not self._killed

  def stop(self, save: bool = False) -> None:
    self._place.process.stop.remote(save)

  def kill(self) -> None:
    self._killed = True
    ray.kill(self._place.process)

  def _look(self) -> None:
    """Sends the node once there is room, finds out whether its work has ended, and ends its process then."""
    if self._outcome is None:
      if not self._killed and self._place.there():
        with self._lost_if_gone():
          for address in self._node.addresses:
            address.bind(self._place.address())
          self._send()
      elif time.monotonic() - self._told > _PATIENCE:
        self._told = time.monotonic()
        _LOG.warning('The cluster has no room for %s, which is to be made anew.', self.name)
    elif self._closed is None and _is_ready(self._outcome):
      with self._lost_if_gone():
        self._failure = ray.get(self._outcome)
      self._closed = self._place.process.close.remote()
    elif self._closed is not None and not self._killed and _is_ready(self._closed):
      self.kill()  # The room that it took may be the only one left for a node that is made anew.

  @contextlib.contextmanager
  def _lost_if_gone(self) -> Iterator[None]:
    try:
      yield
    except exceptions.RayError as error:  # Not only of an actor: Ray has others where memory runs out.
      if not self._killed:
        self._failure = Failure(f'Its process is gone: {error}', lost=True)

  def _send(self) -> None:
    self._place.process.start.remote(hosting.packed(self._node))
    self._outcome = self._place.process.outcome.remote()
