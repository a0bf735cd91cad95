"""The processes in which the nodes of a run are, on the hosts of a Ray cluster."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import threading
import time
from typing import Any, Callable, Dict, Optional, Tuple

import cloudpickle
import launchpad as lp
import ray
from ray.util import scheduling_strategies

from tfacme import errors, loggers
from tfacme.graph import nodes
from tfacme.launching import forking, hosting, quiet, room, supervising
from tfacme.launching.supervising import Failure

_LOG = logging.getLogger('tfacme')
_PATIENCE = 10.0  # seconds without room for a node after which a line says so
# Bytes of memory: Ray places what takes nothing at all through any host, and waits for that one if it is lost.
_SOMETHING = 1_000_000
_CALLS = 4  # of one process at once: what waits for its outcome, and what asks it to stop


class Process:
  """Runs a node, in a process of the cluster. Its methods are called by threads of Ray's."""

  def __init__(self, threads: int, gpus: bool):
    """Initializes the process.

    Args:
      threads: that TensorFlow may use; 0 leaves it to TensorFlow.
      gpus: whether its node computes on GPUs.
    """
    forking.lead_group()
    forking.end_group_with_leader()
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
    failed: Optional[Failure] = None
    with quiet.filtered_stderr():
      try:
        _unpacked(packed)()
      except BaseException as error:
        failed = supervising.failure(error)
    self._end(failed)  # once all is said that the filter had left

  def _end(self, failure: Optional[Failure]) -> None:
    if not self._ended.is_set():
      self._failure = failure
      self._ended.set()


def _unpacked(packed: bytes) -> Callable[[], None]:
  try:
    return cloudpickle.loads(packed)
  except (AttributeError, ImportError) as error:  # The first where a module is another one than here.
    raise errors.UserError(
      f'What the run needs can not be imported ({error}): install it there, as on the host of the command.'
    ) from error


class Place:
  """A process that was asked for, which may still wait for room.

  Attributes:
    takes: what has to be free for it, in words.
  """

  def __init__(self, node: nodes.Node, share: float, again: bool = False):
    """Asks for it.

    Args:
      node: that is to run there.
      share: how much of a GPU of this host the node takes if it is here and computes on one.
      again: whether one was asked for that did not come: what may be on any host is to be on this one then.
    """
    needs = room.of_leaf(node) if node.upkeep.anywhere else room.Needs(gpus=share if node.gpus else 0.0)
    self.takes = str(needs)
    taken = needs.resources()
    options = {'num_cpus': taken['CPU'], 'num_gpus': taken['GPU'], 'memory': max(taken['memory'], _SOMETHING)}
    named = type(node.name, (Process,), {})  # Ray names the process, and the lines that it prints, by its class.
    made = ray.remote(named).options(max_concurrency=_CALLS, scheduling_strategy=_strategy(node, again), **options)
    self.process = made.remote(node.threads, bool(needs.gpus))
    self._address = self.process.address.remote()

  def there(self) -> bool:
    """Whether it is known where it is."""
    return is_ready(self._address)

  def address(self) -> lp.AbstractAddressBuilder:
    """Where its node will listen; raises Ray's error if it is gone."""
    return hosting.Address(*ray.get(self._address))

  def give_up(self) -> None:
    """Ends it, or no longer waits for room."""
    ray.kill(self.process)

  def told(self, failure: Optional[Failure]) -> Optional[Failure]:
    """A failure there; a mistake that is none here, such as a module that is missing there, says where it is one."""
    host, _ = ray.get(self._address)
    if failure is None or not failure.mistake or host == ray.util.get_node_ip_address():
      return failure
    return failure._replace(account=f'On the host {host}: {failure.account}')


def _strategy(node: nodes.Node, again: bool) -> Any:
  """On which host Ray is to place a node; on this one, which is there, if it was asked for and did not come."""
  on, here = scheduling_strategies.NodeAffinitySchedulingStrategy, ray.get_runtime_context().get_node_id()
  if again or not node.upkeep.anywhere:
    return on(here, soft=False)
  if node.upkeep.processors:
    return 'DEFAULT'
  # What takes no processor would all be on one host, and Ray's own SPREAD has two of them on one now and then.
  hosts = sorted(host['NodeID'] for host in ray.nodes() if host['Alive'])
  return on(hosts[node.index % len(hosts)], soft=True)


def is_ready(reference: Any) -> bool:
  """Whether what a call of Ray's returns is there, or has failed."""
  return bool(ray.wait([reference], timeout=0)[0])


class Waiting:
  """Those that wait for room; says so once in a while."""

  def __init__(self):
    self._takes: Dict[str, str] = {}  # by name
    self._told = 0.0  # when it was last said

  def look(self, name: str, place: Place) -> bool:
    """Whether it is known where a node is."""
    if place.there():
      self._takes.pop(name, None)
      return True
    if not self._takes:
      self._told = time.monotonic()
    self._takes[name] = place.takes
    if time.monotonic() - self._told > _PATIENCE:
      self._told = time.monotonic()
      _LOG.warning(
        'The cluster has no room yet for %s.', errors.listed(f'{name} ({takes})' for name, takes in self._takes.items())
      )
    return False
