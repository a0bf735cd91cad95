"""The engines that give each node a thread or a process on this machine.

Launchpad's own launchers hide failures; here the first node that fails ends the run, with that node's traceback. Both
engines run the nodes as Launchpad does: bind the addresses, then call each node's function.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Protocol, Sequence, Tuple

import cloudpickle
import launchpad as lp
import tensorflow as tf
from absl import flags

from tfacme import errors, loggers, mistakes
from tfacme.graph import nodes, remote
from tfacme.launching import forking, quiet
from tfacme.launching.outcomes import Interrupted, NodeFailed
from tfacme.launching.stopping import StopRequest
from tfacme.workers import counting, saving

_LOG = logging.getLogger('tfacme')
_POLL_SECONDS = 0.1
_STOP_SECONDS = 2.0  # that all other nodes have to stop; what their logs write in the background has time of its own
_BLAME_SECONDS = 1.0  # in which a node that others have lost is found to have failed
_STORY_LENGTH = 30_000  # characters of a traceback: no more than a pipe holds before somebody reads it


class Failure(NamedTuple):
  """How a node failed."""

  account: str  # its traceback, or how it was killed
  mistake: bool = False  # whether the account is one sentence for the user


class Task(Protocol):
  """A node that runs."""

  name: str
  failure: Optional[Failure]

  def running(self) -> bool:
    """Whether it has not ended yet."""
    ...

  def working(self) -> bool:
    """Whether its work has not ended yet; it may run on for what its logs still write in the background."""
    ...

  def stop(self) -> None:
    """Asks it to stop."""
    ...

  def kill(self) -> None:
    """Ends it."""
    ...


class _Manager:
  """What Launchpad's nodes ask of the launcher that runs them."""

  def __init__(self, event: threading.Event):
    self._event = event

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
    tasks = [_ThreadTask(node) for node in nodes.of_program(program)]
    _supervise(tasks, _ending(program), counter, on_status, stop)


def run_processes(program: lp.Program, on_status: Callable[[Dict[str, Any]], None], stop: StopRequest) -> None:
  """Runs each node in a process of its own; see `launching.launch`."""
  forking.start_server()
  with contextlib.ExitStack() as ports:
    counter = _bind(program, ports)
    tasks: List[_ProcessTask] = []
    try:
      for node in nodes.of_program(program):
        tasks.append(_ProcessTask(node))
    except Exception:
      _stop_all(tasks, log_seconds=0.0)
      raise
    with quiet.filtered_stderr():
      _supervise(tasks, _ending(program), counter, on_status, stop)


def _bind(program: lp.Program, ports: contextlib.ExitStack) -> Any:
  """Gives the nodes addresses on this machine, and returns a client of the counter."""
  if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()  # Launchpad reads flags, and there are none of ours.
  counter = next(node for node in nodes.of_program(program) if node.role == 'counter')
  handle = counter.create_handle()
  nodes.bind(program, lambda node: _Address(ports))
  return handle.dereference()


def _ending(program: lp.Program) -> nodes.Node:
  return next(node for node in nodes.of_program(program) if node.ends)


def _supervise(
  tasks: Sequence[Task],
  ending: nodes.Node,
  counter: Any,
  on_status: Callable[[Dict[str, Any]], None],
  stop: StopRequest,
) -> None:
  """Waits for the node that ends the run; stops all others then, or when one fails, or when the user wants to."""
  (saver,) = [task for task in tasks if task.name == ending.name]
  client = remote.Remote(counter, 'counter', lambda: True)
  pending: Any = None
  log_seconds = ending.save_seconds
  try:
    while saver.running():
      raise_failure(tasks)
      if stop.signum is not None:
        raise _interrupted(stop.signum, saver, ending, client, on_status)
      pending = _tell(client, pending, on_status)
      time.sleep(_POLL_SECONDS)
    raise_failure(tasks)
    if stop.signum is not None:
      raise Interrupted(stop.signum)
    _tell(client, client.begin('status'), on_status, wait=True)
    log_seconds = loggers.CLOSE_SECONDS + _STOP_SECONDS  # A node gives up after the first part of it, and says so.
  finally:
    _stop_all(tasks, log_seconds)
    client.close()


def _interrupted(
  signum: int,
  saver: Task,
  ending: nodes.Node,
  client: remote.Remote,
  on_status: Callable[[Dict[str, Any]], None],
) -> Interrupted:
  """Has the node that ends the run save; says what has come of it."""
  saver.stop()
  _wait([saver.running], ending.save_seconds)
  heard: List[Dict[str, Any]] = []
  _tell(client, client.begin('status'), heard.append, wait=True)
  for status in heard:
    on_status(status)
  noted = any(saving.has_saved(status, saver.name) for status in heard)
  if noted:
    _wait([saver.running], ending.save_seconds)  # The policy has as long as the checkpoint.
  if saver.failure is not None and saver.failure.mistake:
    raise_failure([saver])
  ended = not saver.running() and saver.failure is None
  return Interrupted(signum, noted or ended, all(counting.has_begun(status) for status in heard), ended)


def raise_failure(tasks: Sequence[Task]) -> None:
  """Raises the error of the node that failed first, not those of nodes that failed because they lost it."""
  if all(task.failure is None for task in tasks):
    return
  deadline = time.monotonic() + _BLAME_SECONDS
  while not (first := _failures(tasks, at_first_hand=True)) and time.monotonic() < deadline:
    time.sleep(0.02)
  name, failure = (first or _failures(tasks))[0]
  raise errors.UserError(failure.account) if failure.mistake else NodeFailed(name, failure.account)


def _failures(tasks: Sequence[Task], at_first_hand: bool = False) -> List[Tuple[str, Failure]]:
  failed = [(task.name, task.failure) for task in tasks if task.failure is not None]
  return [(n, f) for n, f in failed if not (at_first_hand and 'tfacme.graph.remote.RemoteError' in f.account)]


def _failure(error: BaseException) -> Failure:
  if isinstance(error, errors.UserError):
    return Failure(str(error), mistake=True)
  return Failure(mistakes.account(error)[-_STORY_LENGTH:])


def _tell(client: remote.Remote, pending: Any, on_status: Callable[[Dict[str, Any]], None], wait: bool = False) -> Any:
  """Passes the counter's status on once it has answered; the run does not depend on it."""
  if pending is None:
    return client.begin('status')
  deadline = time.monotonic() + (1.0 if wait else 0.0)
  while not pending.done() and time.monotonic() < deadline:
    time.sleep(0.01)
  if not pending.done():
    return pending
  try:
    on_status(pending.result())
  except (remote.Stopped, remote.RemoteError):  # It is not there yet, or not any more.
    pass
  return None


def _stop_all(tasks: Sequence[Task], log_seconds: float) -> None:
  """Stops what still runs; what is then left for logs to write has so many seconds more."""
  for task in tasks:
    if task.running():
      task.stop()
  _wait([task.working for task in tasks], _STOP_SECONDS)
  for task in tasks:
    if task.working():
      task.kill()
  _wait([task.running for task in tasks if not task.working()], log_seconds)
  late = [task for task in tasks if task.running() and not task.working()]
  for task in late:
    task.kill()
  if late:
    names = ', '.join(task.name for task in late)
    _LOG.warning('The trackers did not take the last rows of %s in time; the CSV files have all of them.', names)


def _wait(conditions: Sequence[Callable[[], bool]], seconds: float) -> None:
  """Waits until none of the conditions holds, at most so long."""
  deadline = time.monotonic() + seconds
  while any(holds() for holds in conditions) and time.monotonic() < deadline:
    time.sleep(0.02)


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
    nodes.manage_thread(_Manager(self._event))
    try:
      self._node.run()
    except BaseException as error:
      self.failure = _failure(error)


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
      else f'It ended with exit code {code} before its work was done.'
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
  nodes.manage_thread(_Manager(event))
  flags.FLAGS.mark_as_parsed()
  with quiet.filtered_stderr():
    try:
      cloudpickle.loads(packed)()
      pipe.send(None)
    except BaseException as error:
      pipe.send(_failure(error))
    loggers.wait()  # Its work has ended, which the message says.
  forking.end_group()  # Without the libraries' own tear-down, which may hang; with what an environment left running.


def _wait_for_stop(pipe: Any, event: threading.Event) -> None:
  try:
    pipe.recv()
  except (EOFError, OSError):
    forking.end_group()  # The launcher is gone, and nobody would tell the nodes in which order to stop.
  event.set()
