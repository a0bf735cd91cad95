"""Node processes, forked from a server that has imported TensorFlow once, so that none of them has to."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import traceback
import types
from typing import Any, Callable, Iterator, List, Sequence, Tuple

_PR_SET_PDEATHSIG = 1  # of Linux's prctl
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
PRELOAD = 'tfacme.launching.preload'  # what the server imports


def start_server() -> None:
  """Starts the server, unless it runs already.

  It is a copy of this process where this has imported the same and done nothing with it, as a command has that is about
  to run: so TensorFlow is imported once, and lies in memory once. Elsewhere it is a new process.
  """
  from multiprocessing import forkserver, resource_tracker

  multiprocessing.set_forkserver_preload([PRELOAD])
  resource_tracker.ensure_running()  # The server needs it, and its start would unblock the signal below.
  # It ignores Ctrl-C only once it has imported all; a blocked signal is inherited, so it does not hear of it before.
  blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
  try:
    with _without_main(), _copied() if _is_as_new() else contextlib.nullcontext():
      forkserver.ensure_running()
  finally:
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _is_as_new() -> bool:
  """Whether a fork of this process would be as a new one is that has imported the same.

  It has no threads, has opened no files but that of `multiprocessing`, and nothing has looked for devices: neither
  TensorFlow's context nor CUDA outlives a fork.
  """
  if PRELOAD not in sys.modules or 'torch' in sys.modules or threading.active_count() > 1 or sys.platform != 'linux':
    return False
  from multiprocessing import resource_tracker

  from tensorflow.python.eager import context

  # Those that were open when it started, whatever they are, are inheritable; what Python opens is not.
  opened = [number for number in _open_files() if not os.get_inheritable(number)]
  own = context.context()
  return opened in ([], [resource_tracker._resource_tracker._fd]) and not (own._initialized or own._physical_devices)


def _open_files() -> List[int]:
  """The numbers of this process's open files."""
  folder = '/proc/self/fd'
  return [int(name) for name in os.listdir(folder) if os.path.lexists(os.path.join(folder, name))]


@contextlib.contextmanager
def _copied() -> Iterator[None]:
  """Has `multiprocessing` fork this process where it would start a new one with a command of Python's."""
  from multiprocessing import util

  start = util.spawnv_passfds
  util.spawnv_passfds = functools.partial(_fork, start)
  try:
    yield
  finally:
    util.spawnv_passfds = start


def _fork(start: Callable[..., int], path: bytes, arguments: Sequence[str], files: Sequence[int]) -> int:
  """Runs the command of a new Python in a fork of this process; returns its process id.

  Args:
    start: would start a new one.
    path: of Python's interpreter.
    arguments: the last one is what Python is to run.
    files: the numbers of open files that it keeps, beside the standard ones.
  """
  del path
  for stream in (sys.stdout, sys.stderr):  # Or what was not written yet would be, twice.
    with contextlib.suppress(Exception):
      stream.flush()
  pid = os.fork()
  if pid:
    return pid
  code = 1
  try:
    _become_new(start, files)
    exec(arguments[-1], {})  # pylint: disable=exec-used
    code = 0
  except SystemExit:
    code = 0
  except BaseException:
    traceback.print_exc()
  finally:
    os._exit(code)


def _become_new(start: Callable[..., int], files: Sequence[int]) -> None:
  """Gives a fork what a new process has: its own name, signals and files, and a `multiprocessing` that is not used."""
  from multiprocessing import forkserver, resource_tracker, util

  signal.signal(signal.SIGTERM, signal.SIG_DFL)
  _call_process('tfacme-server')
  for number in set(_open_files()) - {0, 1, 2, *files}:
    os.close(number)
  # They are in the middle of starting this: an environment with processes of its own would wait for ever for them.
  util.spawnv_passfds = start
  forkserver._forkserver.__init__()
  resource_tracker._resource_tracker.__init__()


def stop_server(wait: bool = True) -> None:
  """Ends the server, if there is one; it would outlive this process by a moment.

  Args:
    wait: until it is gone. In a signal's handler that could be for ever: for a lock that the code under it holds.
  """
  from multiprocessing import forkserver

  server = forkserver._forkserver  # In public there is only the end of this process, which does not wait.
  if server._forkserver_pid is not None:
    os.kill(server._forkserver_pid, signal.SIGKILL)  # It may be importing, and would not listen for seconds.
    if wait:
      server._stop()


def start_process(target: Callable[..., None], args: Tuple[Any, ...], name: str) -> multiprocessing.process.BaseProcess:
  """Forks a process that calls a module's function."""
  start_server()
  process = multiprocessing.get_context('forkserver').Process(target=target, args=args, name=name)
  with _without_main():
    process.start()
  return process


def die_with_parent(name: str) -> None:
  """Has the kernel kill this process when the server dies, which dies with the process that started it.

  Args:
    name: what the process is called in the system's own lists.
  """
  if sys.platform == 'linux':
    _call_process(name)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1:  # It was dead already.
      os._exit(1)


def _call_process(name: str) -> None:
  """Gives this process a name in the system's own lists."""
  with open('/proc/self/comm', 'w', encoding='utf-8') as file:
    file.write(name[:15])


def lead_group() -> None:
  """Makes this process the first of a group, to which all that it starts belongs; see `end_group`."""
  os.setpgid(0, 0)


def end_group(leader: int = 0) -> None:
  """Kills what is left of a process and of all that it had started; 0 is this one."""
  with contextlib.suppress(ProcessLookupError):
    os.killpg(leader, signal.SIGKILL)


def end_group_with_leader() -> None:
  """Has all be killed that this process, which leads its group, has started, within a second of its end, whatever that.

  For where nobody is beside it who would do so. The one who watches is no child of this process, which may have all of
  those killed with it.
  """
  watch = '(while kill -0 "$1"; do sleep 1; done; kill -9 "-$1") > /dev/null 2>&1 &'
  subprocess.run(['sh', '-c', watch, 'sh', str(os.getpid())], check=True, start_new_session=True)


def leave_signals_to_launcher() -> None:
  """Has this process go on when it is asked to stop, and what it starts not.

  A signal that is ignored or blocked stays so through fork and exec, so that an environment's own processes could not
  be asked to end; one with a handler is what it always is after an exec, and here after a fork.
  """
  for signum in _SIGNALS:
    signal.signal(signum, _go_on)
  signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
  fork = _Fork()
  os.register_at_fork(before=fork.begins, after_in_parent=fork.ends, after_in_child=fork.ends_in_child)


def _go_on(signum: int, frame: Any) -> None:
  """Does nothing."""


class _Fork(threading.local):
  """Has a forked process find each signal as any process does, from its first moment on.

  A signal that came before it has its own handlers would be met by those of the node, and be lost; so it waits.
  """

  def begins(self) -> None:
    self._blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)

  def ends(self) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)

  def ends_in_child(self) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    self.ends()


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
  """Hides the main module, which a new process would run a second time to find what was defined in it.

  What nodes need of it travels by value instead (cloudpickle).
  """
  main = sys.modules['__main__']
  sys.modules['__main__'] = types.ModuleType('__main__')
  try:
    yield
  finally:
    sys.modules['__main__'] = main
