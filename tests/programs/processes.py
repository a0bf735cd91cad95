"""Runs commands as a user does, and looks for what they leave behind."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
import uuid
from typing import Callable, List, NamedTuple, Optional, Sequence

HERE = pathlib.Path(__file__).parent
_MARK = 'TFACME_TEST_COMMAND'


class Ended(NamedTuple):
  """A command that has ended."""

  code: int
  out: str
  err: str
  seconds: float  # since the signal, or since the start if there was none
  left: List[int]  # process ids of its processes that still run


class Command:
  """A command that runs, with all processes that it starts marked."""

  def __init__(self, arguments: Sequence[str], cwd: Optional[os.PathLike] = None, python: str = sys.executable):
    self._mark = uuid.uuid4().hex
    places = os.pathsep.join([str(HERE.parents[1]), os.environ.get('PYTHONPATH', '')])
    environment = {**os.environ, _MARK: self._mark, 'PYTHONPATH': places}
    self.started = time.monotonic()
    self.process = subprocess.Popen(
      [python, *arguments],
      cwd=cwd or HERE,
      env=environment,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
      start_new_session=True,
    )

  def pids(self) -> List[int]:
    """Of all its processes that run."""
    return [pid for pid in map(int, filter(str.isdigit, os.listdir('/proc'))) if self._is_ours(pid)]

  def named(self, name: str) -> int:
    """The process id of a node."""
    for pid in self.pids():
      if pathlib.Path(f'/proc/{pid}/comm').read_text().strip() == name:
        return pid
    raise LookupError(name)

  def runs(self, name: str) -> bool:
    """Whether a node of this name runs in a process of its own."""
    with contextlib.suppress(LookupError, OSError):  # A process may end while it is looked at.
      return bool(self.named(name))
    return False

  def wait(self, seconds: float) -> Ended:
    """Waits for its end, at most so long."""
    begun = time.monotonic()
    try:
      out, err = self.process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
      raise TimeoutError(f'It has not ended within {seconds} s: {self._where_it_is()}') from None
    took = time.monotonic() - begun
    time.sleep(0.5)
    ended = Ended(self.process.returncode, out, err, took, self.pids())
    self.end()
    return ended

  def end(self) -> None:
    """Kills what is left."""
    for pid in self.pids():
      os.kill(pid, signal.SIGKILL)

  def wait_for(self, path: pathlib.Path, lines: int, seconds: float = 90.0) -> None:
    """Waits until a log has so many lines."""
    there = lambda: path.exists() and path.read_text().count('\n') >= lines
    self.wait_until(there, f'{path} has not come to {lines} lines', seconds)

  def wait_for_checkpoint(self, run: pathlib.Path, seconds: float = 90.0) -> None:
    """Waits until a run has written one."""
    there = lambda: any(path.name.isdigit() for path in (run / 'checkpoints').glob('*'))
    self.wait_until(there, f'{run} has come to no checkpoint', seconds)

  def wait_until(self, condition: Callable[[], bool], otherwise: str, seconds: float = 90.0) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and self.process.poll() is None:
      if condition():
        return
      time.sleep(0.02)
    raise TimeoutError(f'{otherwise}: {self._where_it_is()}')

  def _where_it_is(self) -> str:
    """All that it has said, and the stack of each thread of its nodes; ends it."""
    self.process.send_signal(signal.SIGSTOP)  # It would end all others when the first one ends.
    for pid in sorted(self.pids(), reverse=True):  # Nodes first: they die with the process that they were forked from.
      with contextlib.suppress(ProcessLookupError):
        if pid != self.process.pid:
          os.kill(pid, signal.SIGABRT)  # Python's fault handler, which nodes have, answers with the stacks.
          time.sleep(0.5)
    self.end()
    out, err = self.process.communicate()
    return f'{out}\n{err}'

  def _is_ours(self, pid: int) -> bool:
    try:
      environment = pathlib.Path(f'/proc/{pid}/environ').read_bytes()
      state = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
    except OSError:
      return False
    return f'{_MARK}={self._mark}'.encode() in environment and state != 'Z'


def tfacme(*arguments: str, **options) -> Command:
  """The `tfacme` command."""
  return Command(['-m', 'tfacme', *arguments], **options)


def run(*arguments: str, seconds: float = 240.0) -> Ended:
  """Runs the `tfacme` command to its end."""
  return tfacme(*arguments).wait(seconds)
