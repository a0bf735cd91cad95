"""What all engines that run nodes beside each other do: watch them, say which one failed, and stop them in order."""

from __future__ import annotations

import logging
import time
from typing import Any, Callable, Collection, Dict, List, NamedTuple, Optional, Protocol, Sequence, Tuple

import launchpad as lp

from tfacme import errors, loggers, mistakes
from tfacme.graph import nodes, remote
from tfacme.launching.outcomes import CoreLost, Interrupted, NodeFailed
from tfacme.launching.stopping import StopRequest
from tfacme.workers import counting, failures, saving

_LOG = logging.getLogger('tfacme')
_POLL_SECONDS = 0.1
_STOP_SECONDS = 2.0  # that all other nodes have to stop; what their logs write in the background has time of its own
_BLAME_SECONDS = 1.0  # in which a node that others have lost is found to have failed
_STORY_LENGTH = 30_000  # characters of a traceback: no more than a pipe holds before somebody reads it


class Failure(NamedTuple):
  """How a node failed."""

  account: str  # its traceback, or how it was killed
  mistake: bool = False  # whether the account is one sentence for the user
  lost: bool = False  # whether it was killed, or vanished, so that nothing in it need be wrong


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

  def stop(self, save: bool = False) -> None:
    """Asks it to stop, and to save before if it has something to."""
    ...

  def kill(self) -> None:
    """Ends it."""
    ...


class _Member:
  """A node of a run, and the task that runs it."""

  def __init__(self, node: nodes.Node, task: Task):
    self.node = node
    self.task = task
    self.due: Optional[float] = None  # when it is made anew, on the monotonic clock
    self._restarts = failures.Restarts(node.upkeep.restarts)

  def has_failed(self) -> bool:
    """Whether its task has; finds out, once for each failure, whether and when the node is made anew."""
    if self.due is not None:
      return True
    failed = self.task.failure
    if failed is None:
      return False
    what = f'The node {self.node.name} has failed, and is made anew'
    pause = None if failed.mistake else self._restarts.after(what, failed.account)
    self.due = None if pause is None else time.monotonic() + pause
    return True


class Crew:
  """The nodes of a program as they run. A leaf that fails is made anew, as often as it may be."""

  def __init__(self, program: lp.Program, start: Callable[[nodes.Node], Task]):
    """Starts all; stops those that it has started if one can't be.

    Args:
      program: whose nodes have addresses.
      start: runs a node, for the first time or anew.
    """
    self._start = start
    self._members: List[_Member] = []
    try:
      for node in nodes.of_program(program):
        self._members.append(_Member(node, start(node)))
    except Exception:
      self.stop(log_seconds=0.0)
      raise

  def ending(self) -> Tuple[nodes.Node, Task]:
    """The node that ends the run."""
    return next((member.node, member.task) for member in self._members if member.node.ends)

  def look(self) -> List[str]:
    """Makes anew what is due; raises the error of a node that has failed and is not made anew.

    Returns:
      The names of those that were found to have failed, and are to be made anew.
    """
    before = {member.node.name for member in self._members if member.due is not None}
    failed = [member for member in self._members if member.has_failed()]
    if not failed:
      return []
    core = [member.node.name for member in self._members if member.node.upkeep.restarts == 0]
    raise_failure([member.task for member in self._members if member.due is None], core)
    for member in failed:
      if member.due is not None and time.monotonic() >= member.due:
        member.task.kill()  # What it has left running, too.
        member.task, member.due = self._start(member.node), None
    return [member.node.name for member in failed if member.node.name not in before]

  def stop(self, log_seconds: float) -> None:
    """See `stop_all`."""
    stop_all([member.task for member in self._members], log_seconds)


def supervise(crew: Crew, counter: Any, on_status: Callable[[Dict[str, Any]], None], stop: StopRequest) -> None:
  """Waits for the node that ends the run; stops all others then, or when one fails, or when the user wants to."""
  ending, saver = crew.ending()
  client = remote.Remote(counter, 'counter', lambda: True)
  pending: Any = None
  log_seconds = ending.save_seconds
  try:
    while saver.running():
      for name in crew.look():
        client.begin('leave', name)  # Nobody waits for the answer: should it be lost, it is given back when it joins.
      if stop.signum is not None:
        raise _interrupted(stop.signum, saver, ending, client, on_status)
      pending = _tell(client, pending, on_status)
      time.sleep(_POLL_SECONDS)
    crew.look()
    if stop.signum is not None:
      raise Interrupted(stop.signum)
    _tell(client, client.begin('status'), on_status, wait=True)
    log_seconds = loggers.CLOSE_SECONDS + _STOP_SECONDS  # A node gives up after the first part of it, and says so.
  finally:
    crew.stop(log_seconds)
    client.close()


def _interrupted(
  signum: int,
  saver: Task,
  ending: nodes.Node,
  client: remote.Remote,
  on_status: Callable[[Dict[str, Any]], None],
) -> Interrupted:
  """Has the node that ends the run save; says what has come of it."""
  saver.stop(save=True)
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


def raise_failure(tasks: Sequence[Task], core: Collection[str] = ()) -> None:
  """Raises the error of the node that failed first, not those of nodes that failed because they lost it.

  Args:
    tasks: those that may have failed.
    core: the names of those that can't be made anew by themselves.
  """
  if all(task.failure is None for task in tasks):
    return
  deadline = time.monotonic() + _BLAME_SECONDS
  while not (sure := _causes(tasks, core)) and time.monotonic() < deadline:
    time.sleep(0.02)
  name, failure = (sure or _failures(tasks, at_first_hand=True) or _failures(tasks))[0]
  if failure.mistake:
    raise errors.UserError(failure.account)
  raise (CoreLost if failure.lost and name in core else NodeFailed)(name, failure.account)


def _causes(tasks: Sequence[Task], core: Collection[str]) -> List[Tuple[str, Failure]]:
  """Failures that no other one has caused: mistakes, and nodes of the core that are lost.

  Whoever uses a node that is lost may have failed, in words of its own, before that one is found to be gone.
  """
  failed = _failures(tasks)
  return [each for each in failed if each[1].mistake] or [(n, f) for n, f in failed if f.lost and n in core]


def _failures(tasks: Sequence[Task], at_first_hand: bool = False) -> List[Tuple[str, Failure]]:
  failed = [(task.name, task.failure) for task in tasks if task.failure is not None]
  return [(n, f) for n, f in failed if not (at_first_hand and 'tfacme.graph.remote.RemoteError' in f.account)]


def failure(error: BaseException) -> Failure:
  """How a node has failed that raised an error."""
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


def stop_all(tasks: Sequence[Task], log_seconds: float) -> None:
  """Stops what still runs, the counter last; what is then left for logs to write has so many seconds more."""
  counters = [task for task in tasks if task.name == 'counter']  # Others have rows of logs that it is to write.
  for stopped in ([task for task in tasks if task not in counters], counters):
    for task in stopped:
      if task.running():
        task.stop()
    _wait([task.working for task in stopped], _STOP_SECONDS)
    for task in stopped:
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
