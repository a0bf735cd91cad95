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
import socket
import threading
from typing import Any, Callable, Dict, Optional

import cloudpickle
import launchpad as lp
import tensorflow as tf
from absl import flags

from tfacme import errors, loggers
from tfacme.graph import nodes
from tfacme.launching import forking, quiet, supervising
from tfacme.launching.stopping import StopRequest
from tfacme.launching.supervising import Failure


class _Manager:
  """What Launchpad's nodes ask of the launcher that runs them."""

  def __init__(self, event: threading.Event, fail: Callable[[str], None]):
    """Args: fail: ends the node, which hangs, with an account of it."""
    self._event = event
    self.fail = fail

  def stop_event(self) -> threading.Event:
    """Is set when the node is to stop."""
    return self._event

  def wait_for_stop(self, timeout_secs: Optional[float] = None) -> bool:
    """Waits until the node is to stop."""
    return self._event.wait(timeout_secs)

  def _sigterm(self) -> None:
    """The program is to stop. The engine knows: it watches the node that says so."""


class _Address(lp.AbstractAddressBuilder):
  """An address on this machine, whose port stays a node's own in the seconds until it listens there.

  A port that is only looked up can meanwhile go to another run, or to any connection that goes out; a server of Reverb
  would share it without a word. One that a socket is bound to is not given out again, and the node's server may take it
  all the same, as long as that socket does not listen.
  """

  def __init__(self, stack: contextlib.ExitStack):
    """Reserves a port until the stack is left."""
    family, anywhere = (socket.AF_INET6, '::') if socket.has_dualstack_ipv6() else (socket.AF_INET, '')
    held = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((anywhere, 0))
    self._port = held.getsockname()[1]

  def build(self) -> str:
    """The address."""
    return f'localhost:{self._port}'


def run_threads(program: lp.Program, on_status: Callable[[Dict[str, Any]], None], stop: StopRequest) -> None:
  """Runs each node in a thread of this process; see `launching.launch`."""
  with quiet.filtered_stderr(), contextlib.ExitStack() as ports:
    counter = _bind(program, ports)
    supervising.supervise(supervising.Crew(program, _ThreadTask), counter, on_status, stop)


def run_processes(program: lp.Program, on_status: Callable[[Dict[str, Any]], None], stop: StopRequest) -> None:
  """Runs each node in a process of its own; see `launching.launch`."""
  forking.start_server()
  with contextlib.ExitStack() as ports:
    counter = _bind(program, ports)
    crew = supervising.Crew(program, _ProcessTask)
    with quiet.filtered_stderr():
      supervising.supervise(crew, counter, on_status, stop)


def _bind(program: lp.Program, ports: contextlib.ExitStack) -> Any:
  """Gives the nodes addresses on this machine, and returns a client of the counter."""
  if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()  # Launchpad reads flags, and there are none of ours.
  counter = next(node for node in nodes.of_program(program) if node.role == 'counter')
  handle = counter.create_handle()
  nodes.bind(program, lambda node: _Address(ports))
  return handle.dereference()


class _ThreadTask:
  """A node in a thread; a thread can't be killed, but it ends with the process."""

  def __init__(self, node: nodes.Node):
    self.name = node.name
    self.failure: Optional[Failure] = None
    self._node = node
    self._event = threading.Event()
    self._thread = threading.Thread(target=self._run, name=node.name, daemon=True)
    self._thread.start()

  def running(self) -> bool:
    return self._thread.is_alive()

  def working(self) -> bool:
    return self._thread.is_alive()

  def stop(self) -> None:
    self._event.set()

  def kill(self) -> None:
    self._event.set()

  def _run(self) -> None:
    nodes.manage_thread(_Manager(self._event, self._fail))
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
    try:
      packed = cloudpickle.dumps(node.run)
    except Exception as error:
      raise errors.UserError(
        f'The node {node.name} can not be sent to another process: {error}; keep open files, generators and lambdas '
        'over them out of the experiment.'
      ) from error
    self._pipe, theirs = multiprocessing.Pipe()
    self._process = forking.start_process(_run_node, (packed, node.name, node.threads, theirs), node.name)
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

  def stop(self) -> None:
    try:
      self._pipe.send('stop')
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


def _run_node(packed: bytes, name: str, threads: int, pipe: Any) -> None:
  """What a node's process does.

  It leaves both signals to the launcher, whom they reach too if they are for the whole run, and who stops the nodes in
  an order in which the saver can still ask the others.
  """
  forking.die_with_parent(name)
  forking.lead_group()
  faulthandler.enable(os.dup(2))  # Past the filter, which dies with the process: a library's abort says where it was.
  if threads:
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
  event = threading.Event()
  forking.leave_signals_to_launcher()
  threading.Thread(target=_wait_for_stop, args=(pipe, event), name='stop', daemon=True).start()
  nodes.manage_thread(_Manager(event, functools.partial(_fail, pipe)))
  flags.FLAGS.mark_as_parsed()
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


def _wait_for_stop(pipe: Any, event: threading.Event) -> None:
  try:
    pipe.recv()
  except (EOFError, OSError):
    forking.end_group()  # The launcher is gone, and nobody would tell the nodes in which order to stop.
  event.set()
