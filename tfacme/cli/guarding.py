"""From exceptions to exit codes."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from typing import Any, Callable, NoReturn

from tfacme import errors, launching, mistakes, startup
from tfacme.cli import peeking
from tfacme.launching import private_network

_FAILED, _MISTAKE, _INTERRUPTED = 1, 2, 130


def guard(function: Callable[..., Any], *arguments: Any) -> int:
  """Calls a function and returns the exit code of a command that does so.

  A user's mistake becomes one line on standard error, since a stack trace would say nothing that the line does not; a
  node that failed brings its own traceback, which is all that matters. All other exceptions are bugs and propagate.
  """
  try:
    function(*arguments)
  except errors.UserError as error:
    print('tfacme:', ' '.join(str(error).split()), file=sys.stderr)
    return _MISTAKE
  except launching.Stopped as stopped:
    print(f'tfacme: {stopped}', file=sys.stderr)
    return stopped.exit_code
  except (launching.NodeFailed, launching.DeadlockError) as failure:
    print(f'tfacme: {failure}', file=sys.stderr)
    return _FAILED
  except BrokenPipeError:
    if not _is_unread(sys.stdout):
      raise
    return _FAILED  # Who read the output has enough of it, as `head` has.
  except KeyboardInterrupt:
    print('tfacme: stopped at once; a run resumes from its last checkpoint, if it has one', file=sys.stderr)
    return _INTERRUPTED
  return 0


def _is_unread(stream: Any) -> bool:
  """Whether a stream goes into a pipe that nobody reads any more."""
  try:
    poller = select.poll()
    poller.register(stream.fileno(), select.POLLOUT)
    return any(event & select.POLLERR for _, event in poller.poll(0))
  except (OSError, ValueError):  # It is no file, or closed.
    return False


def _code_of(request: SystemExit) -> int:
  """The exit code that Python itself would end with; a text is a complaint."""
  if request.code is None or isinstance(request.code, int):
    return request.code or 0
  print(request.code, file=sys.stderr)
  return _FAILED


def _leave_at_once(signum: int, frame: Any) -> NoReturn:
  """Ends the process while it starts, with nothing to save yet.

  Python's own handler raises, which gets lost where libraries run callbacks (in a garbage collection, say).
  """
  del frame
  with contextlib.suppress(Exception):  # It may be in the middle of an import.
    launching.cool_down(wait=False)
  os._exit(128 + signum)


def leave(command: Callable[[], int]) -> NoReturn:
  """Ends the process with a command's exit code, without the libraries' own tear-down, in which threads may hang.

  Until a command handles Ctrl-C and SIGTERM itself, as a run does once it has begun, they end the process at once. One
  that is to have a network of its own begins again in it before it does anything.
  """
  if peeking.has(sys.argv[1:], 'private-network'):
    private_network.begin_again()
  for signum in (signal.SIGINT, signal.SIGTERM):
    signal.signal(signum, _leave_at_once)
  startup.collect_less()
  try:
    code = command()
  except SystemExit as request:
    code = _code_of(request)
  except BaseException as error:
    print(mistakes.account(error), end='', file=sys.stderr)
    code = _FAILED
  launching.cool_down()
  with contextlib.suppress(BrokenPipeError):
    sys.stdout.flush()
    sys.stderr.flush()
  os._exit(code)
