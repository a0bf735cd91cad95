"""What an environment does to the process that it is in: its output, its current folder, processes and threads."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import threading
import time
from typing import Callable, Iterator, List, Sequence

import psutil

from tfacme import errors
from tfacme.testing import findings

_LINGER_SECONDS = 2.0  # that what was told to end may take


class Output:
  """What was printed; complete once it is not captured any more."""

  def __init__(self):
    self.text = ''


@contextlib.contextmanager
def captured() -> Iterator[Output]:
  """Keeps what is printed on standard output, by Python or by a library of another language, away from it."""
  output, printed = Output(), io.StringIO()
  sys.stdout.flush()
  with tempfile.TemporaryFile() as file, contextlib.ExitStack() as closing:
    own = os.dup(1)
    closing.callback(os.close, own)
    closing.callback(os.dup2, own, 1)
    os.dup2(file.fileno(), 1)
    try:
      with contextlib.redirect_stdout(printed):
        yield output
    finally:
      file.seek(0)
      output.text = printed.getvalue() + file.read().decode(errors='replace')


class Surroundings:
  """A context in which environments are made, played and closed; then it says what they have left behind."""

  def __init__(self):
    self._closing = contextlib.ExitStack()
    self._output = Output()
    self._folder = ''
    self._children: Sequence[int] = ()
    self._threads: Sequence[threading.Thread] = ()
    self.findings: List[findings.Finding] = []

  def __enter__(self) -> Surroundings:
    self._folder = os.getcwd()
    self._children = [child.pid for child in _children()]
    self._threads = threading.enumerate()
    self._output = self._closing.enter_context(captured())
    return self

  def __exit__(self, *error: object) -> None:
    self._closing.close()
    self.findings = [self._look_at_output(), self._look_at_folder(), self._look_at_processes(), self._look_at_threads()]

  def _look_at_output(self) -> findings.Finding:
    lines = [line for line in self._output.text.splitlines() if line.strip()]
    if not lines:
      return findings.fine('output', 'It prints nothing on standard output.')
    return findings.warning(
      'output',
      f'It prints on standard output, {len(lines):,} lines by now, such as {lines[0].strip()[:60]!r}: that disturbs '
      'the display of a run, and costs time; leave it out, or log it.',
    )

  def _look_at_folder(self) -> findings.Finding:
    try:
      now = os.getcwd()
    except FileNotFoundError:
      now = 'one that is not there any more'
    if now == self._folder:
      return findings.fine('folder', 'It leaves the current folder as it is.')
    os.chdir(self._folder)
    return findings.warning(
      'folder',
      f'It changes the current folder, to {now}: files that others name by a relative path are looked for there; let '
      'it go back, or use whole paths.',
    )

  def _look_at_processes(self) -> findings.Finding:
    def left() -> List[psutil.Process]:
      return [child for child in _children() if child.pid not in self._children]

    processes = _after_a_while(left)
    if not processes:
      return findings.fine('processes', 'It leaves no process behind.')
    named = errors.listed(f'{_name(process)} ({process.pid})' for process in processes)
    return findings.fault('processes', f'It starts processes that still run after close(): {named}; end them there.')

  def _look_at_threads(self) -> findings.Finding:
    threads = _after_a_while(lambda: [thread for thread in threading.enumerate() if thread not in self._threads])
    if not threads:
      return findings.fine('threads', 'It leaves no thread behind.')
    named = errors.listed(thread.name for thread in threads)
    return findings.warning('threads', f'It starts threads that still run after close(): {named}; end them there.')


def _after_a_while(left: Callable[[], List]) -> List:
  """What is left, having had time to end."""
  until = time.monotonic() + _LINGER_SECONDS
  while (there := left()) and time.monotonic() < until:
    time.sleep(0.02)
  return there


def _children() -> List[psutil.Process]:
  """The processes that this one has started, directly or not, but for those that have ended."""
  return [child for child in psutil.Process().children(recursive=True) if _runs(child)]


def _runs(process: psutil.Process) -> bool:
  with contextlib.suppress(psutil.NoSuchProcess):
    return process.status() != psutil.STATUS_ZOMBIE
  return False


def _name(process: psutil.Process) -> str:
  with contextlib.suppress(psutil.NoSuchProcess):
    return process.name()
  return 'one'
