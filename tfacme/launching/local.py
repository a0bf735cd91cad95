"""The engines that give each node a thread or a process on this machine.

Launchpad's own launchers hide failures; here the first node that fails ends the run, with that node's traceback. Both
engines run the nodes as Launchpad does: bind the addresses, then call each node's function.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import multiprocessing
import os
import signal
import threading
from typing import Any, Callable, Dict, Optional

import cloudpickle
import launchpad as lp

from tfacme import loggers
from tfacme.graph import nodes
from tfacme.launching import forking, hosting, quiet, supervising
from tfacme.launching.stopping import StopRequest
from tfacme.launching.supervising import Failure


def run_threads(program: lp.Program, on_status: Callable[[Dict[str, Any]], None], stop: StopRequest) -> None:
  """Runs each node in a thread of this process; see `launching.launch`."""
  with quiet.filtered_stderr(), contextlib.ExitStack() as ports:
    hosting.prepare()  # Of several threads that share a GPU, each would have to say for all that it computes where.
    counter = _bind(program, ports)
    supervising.supervise(supervising.Crew(program, _ThreadTask), counter, on_status, stop)


def run_processes(program: lp.Program, on_status: Callable[[Dict[str, Any]], None], stop: StopRequest) -> None:
  """Runs each node in a process of its own; see `launching.launch`."""
  hosting.prepare()
  forking.start_server()
  with contextlib.ExitStack() as ports:
    counter = _bind(program, ports)
    crew = supervising.Crew(program, _ProcessTask)
    with quiet.filtered_stderr():
      supervising.supervise(crew, counter, on_status, stop)


def _bind(program: lp.Program, ports: contextlib.ExitStack) -> Any:
  """Gives the nodes addresses on this machine, and returns a client of the counter."""
  counter = hosting.handle_of_counter(program)
  nodes.bind(program, lambda node: hosting.Address('localhost', hosting.hold_port(ports)))
  return counter.dereference()


class _ThreadTask:
  """A node in a thread; a thread can't be killed, but it ends with the process."""

  def __init__(self, node: nodes.Node):
    self.name = node.name
    self.failure: Optional[Failure] = None
    self._node = node
    self._manager = hosting.Manager(threading.Event(), self._fail)
    self._thread = threading.Thread(target=self._run, name=node.name, daemon=True)
    self._thread.start()

  def running(self) -> bool:
    return self._thread.is_alive()

  def working(self) -> bool:
    return self._thread.is_alive()

  def stop(self, save: bool = False) -> None:
    self._manager.stop(save)

  def kill(self) -> None:
    self._manager.stop(save=False)

  def _run(self) -> None:
    nodes.manage_thread(self._manager)
    try:
      self._node.run()
    except BaseException as error:
      self.failure = self.failure or supervising.failure(error)

  def _fail(self, account: str) -> None:
    self.failure = Failure(account)  # The thread is left behind: once the call returns it finds that it is to stop.


class _ProcessTask:
  """A node in a process."""

  def __init__(self, node: nodes.Node):
    self.name = node.name
    packed = hosting.packed(node)
    self._pipe, theirs = multiprocessing.Pipe()
    self._process = forking.start_process(_run_node, (packed, node.name, node.threads, node.gpus, theirs), node.name)
    theirs.close()
    self._failure: Optional[Failure] = None
    self._read_end = False

  @property
  def failure(self) -> Optional[Failure]:
    self._look()
    return self._failure

  def running(self) -> bool:
    return self._process.is_alive()

  def working(self) -> bool:
    self._look()
    return not self._read_end

  def stop(self, save: bool = False) -> None:
    try:
      self._pipe.send(save)
    except OSError:  # It has just ended.
      pass

  def kill(self) -> None:
    self._process.kill()
    self._join()

  def _look(self) -> None:
    """Whether it has ended its work, as it says before it ends, or has ended without a word."""
    if not self._read_end and (self._pipe.poll() or not self._process.is_alive()):
      self._failure = self._read()
      self._read_end = True

  def _read(self) -> Optional[Failure]:
    """What its last message says: how it failed, or None if it has done its work."""
    try:
      if self._pipe.poll():
        return self._pipe.recv()
    except (EOFError, OSError):
      pass
    self._join()
    code = self._process.exitcode
    assert code is not None
    return Failure(
      f'It was killed by {signal.Signals(-code).name}.'
      if code < 0
      else f'It ended with exit code {code} before its work was done.',
      lost=True,
    )

  def _join(self) -> None:
    """Waits until it is gone, and ends what it has left running."""
    self._process.join()
    assert self._process.pid is not None
    forking.end_group(self._process.pid)


def _run_node(packed: bytes, name: str, threads: int, gpus: bool, pipe: Any) -> None:
  """What a node's process does.

  It leaves both signals to the launcher, whom they reach too if they are for the whole run, and who stops the nodes in
  an order in which the saver can still ask the others.
  """
  forking.die_with_parent(name)
  forking.lead_group()
  faulthandler.enable(os.dup(2))  # Past the filter, which dies with the process: a library's abort says where it was.
  hosting.prepare(threads, gpus)
  manager = hosting.Manager(threading.Event(), functools.partial(_fail, pipe))
  forking.leave_signals_to_launcher()
  threading.Thread(target=_wait_for_stop, args=(pipe, manager), name='stop', daemon=True).start()
  nodes.manage_thread(manager)
  with quiet.filtered_stderr():
    try:
      cloudpickle.loads(packed)()
      pipe.send(None)
    except BaseException as error:
      pipe.send(supervising.failure(error))
    loggers.wait()  # Its work has ended, which the message says.
  forking.end_group()  # Without the libraries' own tear-down, which may hang; with what an environment left running.


def _fail(pipe: Any, account: str) -> None:
  pipe.send(Failure(account))
  forking.end_group()


def _wait_for_stop(pipe: Any, manager: hosting.Manager) -> None:
  try:
    save = pipe.recv()
  except (EOFError, OSError):
    forking.end_group()  # The launcher is gone, and nobody would tell the nodes in which order to stop.
  manager.stop(save)
