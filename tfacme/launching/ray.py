"""The engine that gives each node a process on a Ray cluster.

Each process is an actor of Ray. It says where its node will listen on the host where it was placed; once all have said
so, the nodes are sent there with all addresses. Actors go where there is room for what they take: a processor, if their
layout has nothing else, and a GPU where they compute on one; relays, which take next to nothing of a host, are spread
over all. All others stay on the host of this process, where the run's folder is, and share a GPU of it. The cluster is
the one at RAY_ADDRESS, as Ray itself has it; without one, a cluster is started on this machine that ends with the run.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import socket
import tempfile
import threading
import time
from typing import Any, Callable, Dict, Iterator, Optional, Sequence, Tuple

import launchpad as lp
import ray
from ray import exceptions

from tfacme import errors
from tfacme.graph import nodes
from tfacme.launching import hosting, quiet, room, supervising, travelling
from tfacme.launching.outcomes import CoreLost, Interrupted
from tfacme.launching.ray_places import Place, Waiting, is_ready
from tfacme.launching.stopping import StopRequest
from tfacme.launching.supervising import Failure

_LOG = logging.getLogger('tfacme')
_PATIENCE = 10.0  # seconds in which somebody at an address has to answer
_ADDRESS = 'RAY_ADDRESS'
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# {(address of a cluster, needs): actors that it had room for when a run of this process began}
_most: Dict[Tuple[str, room.Needs], int] = {}


def run(program: lp.Program, on_status: Callable[[Dict[str, Any]], None], stop: StopRequest) -> None:
  """Runs each node in a process of a cluster; see `launching.launch`."""
  with quiet.filtered_stderr(), _cluster(program):
    share = _share_of_gpus(program)
    _check_room(program, share)
    hosting.prepare()
    counter = hosting.handle_of_counter(program)
    waiting, places = Waiting(), {}
    begun = time.monotonic()
    for anywhere in (False, True):  # Those that are here first: others might take the GPUs of this host.
      placed = [node for node in nodes.of_program(program) if node.upkeep.anywhere == anywhere]
      places.update({node.name: Place(node, share) for node in placed})
      patience = 2 * (time.monotonic() - begun)  # Others may take twice as long to start as those here have.
      _wait_for(placed, places, share, waiting, patience, stop)
    nodes.bind(program, lambda node: _address(node, places[node.name]))
    crew = supervising.Crew(program, lambda node: _Task(node, share, waiting, places.pop(node.name, None)))
    supervising.supervise(crew, counter.dereference(), on_status, stop)


@contextlib.contextmanager
def _cluster(program: lp.Program) -> Iterator[None]:
  """Connects to the cluster, or starts one on this machine with room for the program."""
  given = os.environ.get(_ADDRESS)
  with contextlib.ExitStack() as left:
    options: Dict[str, Any] = {'address': given or 'local', 'logging_level': logging.ERROR}
    if not given:
      where = f'The Ray cluster that a run without {_ADDRESS} starts'
      folder = left.enter_context(tempfile.TemporaryDirectory(prefix='tfacme-ray-', ignore_cleanup_errors=True))
      options.update(num_cpus=_processors_here(program), include_dashboard=False, _temp_dir=folder)
    else:
      where = f'The Ray cluster at {given} ({_ADDRESS})'
      _check_answers(given)
      mine = travelling.modules()
      if mine:
        options['runtime_env'] = {'py_modules': mine}
    handlers = {signum: signal.getsignal(signum) for signum in _SIGNALS}
    left.callback(ray.shutdown)  # also of what was only begun
    try:
      ray.init(**options)
    # Of these a RuntimeError is another version of Ray there, one of Ray's own a module that is too large, and an
    # OSError a path for its sockets that is too long.
    except (OSError, RuntimeError, ValueError, exceptions.RayError) as error:
      raise errors.UserError(f'{where} does not take this run: {error}') from error
    if threading.current_thread() is threading.main_thread():
      for signum, handler in handlers.items():  # Ray has taken them.
        signal.signal(signum, handler)
    yield


def _processors_here(program: lp.Program) -> int:
  """What a cluster of this machine alone is to count, so that all have room."""
  asked = math.ceil(sum(node.upkeep.processors for node in nodes.of_program(program) if node.upkeep.anywhere))
  there = len(os.sched_getaffinity(0))
  if asked > there:
    _LOG.warning(
      'All actors are on this machine, since %s is not set: they ask for %d processors, and it has %d.',
      *(_ADDRESS, asked, there),
    )
  return max(1, asked)


def _check_answers(address: str) -> None:
  """Raises a `UserError` if nobody listens there: Ray itself would try for minutes."""
  if '://' in address:  # The command has to be on a host of the cluster: its folder and the learner are together.
    raise errors.UserError(f'{_ADDRESS} is {address}, and has to be HOST:PORT, or auto for the cluster of this host.')
  host, _, port = address.rpartition(':')
  if not port.isdigit():
    return
  try:
    socket.create_connection((host, int(port)), _PATIENCE).close()
  except OSError as error:
    raise errors.UserError(f'Nothing answers at {address} ({_ADDRESS}): {error.strerror or error}.') from error


def _check_room(program: lp.Program, share: float) -> None:
  """Raises a `UserError` if the cluster never had room for all; a run that begins again may have lost a host."""
  actors = [node for node in nodes.of_program(program) if node.upkeep.anywhere and node.upkeep.processors]
  if actors:  # All take the same.
    here, needs = ray.get_runtime_context().get_node_id(), room.of_leaf(actors[0])
    hosts = {host['NodeID']: dict(host['Resources']) for host in ray.nodes() if host['Alive']}
    if share:
      hosts[here]['GPU'] -= 1
    key = ray.get_runtime_context().gcs_address, needs
    _most[key] = max(_most.get(key, 0), needs.room(hosts.values()))
    room.check(len(actors), needs, _most[key])


def _share_of_gpus(program: lp.Program) -> float:
  """How much of a GPU each node takes that computes on that of this host, all together one; 0 if there is none."""
  here = ray.get_runtime_context().get_node_id()
  there = sum(host['Resources'].get('GPU', 0.0) for host in ray.nodes() if host['NodeID'] == here)
  sharing = sum(node.gpus and not node.upkeep.anywhere for node in nodes.of_program(program))
  return 1.0 / sharing if sharing and there >= 1 else 0.0


def _is_needed(node: nodes.Node) -> bool:
  """Whether a run can't begin without it: an actor is none of these, but for the first."""
  return not node.upkeep.anywhere or node.called


def _wait_for(
  placed: Sequence[nodes.Node],
  places: Dict[str, Place],
  share: float,
  waiting: Waiting,
  patience: float,
  stop: StopRequest,
) -> None:
  """Waits until all are there that a run can't begin without, and one of the others if there are any.

  What other nodes call, and could be on any host, is asked for on this one if it does not come in `patience` seconds:
  it takes Ray more than a minute to find that a host is lost.
  """
  there: Dict[str, bool] = {}
  needed, others = [node for node in placed if _is_needed(node)], [node for node in placed if not _is_needed(node)]
  again, begun = False, time.monotonic()
  all_there = lambda: all(there.get(node.name) for node in needed)
  while not (all_there() and (not others or any(there.get(node.name) for node in others))):
    if stop.signum is not None:
      raise Interrupted(stop.signum, saved=False)
    there = {node.name: waiting.look(node.name, places[node.name]) for node in placed}
    if not again and time.monotonic() > begun + patience:
      again = True
      for node in needed:
        if node.upkeep.anywhere and not there[node.name]:
          places[node.name].give_up()
          places[node.name] = Place(node, share, again)
    time.sleep(0.05)


def _address(node: nodes.Node, place: Place) -> Optional[lp.AbstractAddressBuilder]:
  """Where a node will listen; None of one that the run goes on without, and that has no room or is gone."""
  if not place.there():
    return None
  try:
    return place.address()
  except exceptions.RayError as error:
    if _is_gone(error) and not _is_needed(node):
      return None
    account = f'Its process could not be started on the cluster: {error}'
    raise (CoreLost(node.name, account) if _is_gone(error) else errors.UserError(f'{node.name}: {account}')) from error


def _is_gone(error: exceptions.RayError) -> bool:
  """Whether a process was lost, in the place of being one that can't be there, as where a host lacks tfacme."""
  return isinstance(error, exceptions.RayActorError) and not error.actor_init_failed


class _Task:
  """A node in a process of the cluster; one that is made anew is sent there once there is room."""

  def __init__(self, node: nodes.Node, share: float, waiting: Waiting, place: Optional[Place]):
    """Args: place: that was asked for before; None asks for one."""
    self.name = node.name
    self._node = node
    self._waiting = waiting
    self._place = place or Place(node, share)
    self._outcome: Any = None  # of its work; None until the node is sent
    self._closed: Any = None  # what its logs had left; None until its work has ended
    self._failure: Optional[Failure] = None
    self._killed = False
    self._look()

  @property
  def failure(self) -> Optional[Failure]:
    self._look()
    return self._failure

  def running(self) -> bool:
    return self.working() or not (self._killed or is_ready(self._closed))

  def working(self) -> bool:
    self._look()
    return self._closed is None and not self._killed

  def stop(self, save: bool = False) -> None:
    self._place.process.stop.remote(save)

  def kill(self) -> None:
    self._killed = True
    self._place.give_up()

  def _look(self) -> None:
    """Sends the node once there is room, finds out whether its work has ended, and ends its process then."""
    if self._outcome is None:
      if not self._killed and self._waiting.look(self.name, self._place):
        with self._lost_if_gone():
          for address in self._node.addresses:
            address.bind(self._place.address())
          self._place.process.start.remote(hosting.packed(self._node))
          self._outcome = self._place.process.outcome.remote()
    elif self._closed is None and is_ready(self._outcome):
      with self._lost_if_gone():
        self._failure = self._place.told(ray.get(self._outcome))
      self._closed = self._place.process.close.remote()
    elif self._closed is not None and not self._killed and is_ready(self._closed):
      self.kill()  # The room that it took may be the only one left for a node that is made anew.

  @contextlib.contextmanager
  def _lost_if_gone(self) -> Iterator[None]:
    try:
      yield
    except exceptions.RayError as error:  # Not only of an actor: Ray has others where memory runs out.
      if not self._killed and getattr(error, 'actor_init_failed', False):  # as where a host lacks tfacme
        self._failure = Failure(f'The process of {self.name} could not be started: {error}', mistake=True)
      elif not self._killed:
        self._failure = Failure(f'Its process is gone: {error}', lost=True)
