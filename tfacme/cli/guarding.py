"""From exceptions to exit codes."""

from __future__ import annotations

import sys
from typing import Any, Callable

from tfacme import errors

_MISTAKE, _INTERRUPTED = 2, 130


def guard(function: Callable[..., Any], *arguments: Any) -> int:
  """Calls a function and returns the exit code of a command that does so.

  A user's mistake becomes one line on standard error, since a stack trace would say nothing that the line does not.
  All other exceptions are faults of a program and go on.
  """
  try:
    function(*arguments)
  except errors.UserError as error:
    print('tfacme:', ' '.join(str(error).split()), file=sys.stderr)
    return _MISTAKE
  except KeyboardInterrupt:
    return _INTERRUPTED
  return 0
