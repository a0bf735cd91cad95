"""Whether a run fits into the memory of this machine, as far as that is known before it starts: its replay."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import Any, Iterator, Optional

from tfacme import errors
from tfacme.graph import nodes

_LOG = logging.getLogger('tfacme')
_MENTIONED = 10**9  # bytes from which on a replay is worth a line
_FIX = (
  'make it smaller (--config.max-replay-size), or where the environment stacks frames, let the experiment do so '
  '(--stack), which stores each of them once, or have Reverb compress it in a process of its own (--replay reverb)'
)


def check(program: Any, launch: str, refuses: bool) -> Optional[str]:
  """Says how much memory the replay of a program takes, if it is much.

  Args:
    program: from `make_program`.
    launch: the engine. In one thread, and beside the learner, the replay takes just so much; a server of Reverb's
      compresses it, nobody knows how far.
    refuses: whether a replay is refused that can't fit.

  Returns:
    A line, or None if it is little.

  Raises:
    UserError: if it can't fit.
  """
  size, compressed = 0, False
  for node in nodes.of_program(program):
    if isinstance(node, nodes.ReplayNode):
      size, compressed = size + node.most_bytes, launch != 'inline'
    else:
      size += sum(part.most_bytes for part in node.parts.values())
  most = available()
  if size < _MENTIONED and size <= most / 2:
    return None
  takes = f'The replay takes up to {_gigabytes(size)} of memory, and there are {_gigabytes(most)} here'
  if compressed:
    takes += '; Reverb compresses it, images well and noise not at all'
  elif size > most and refuses:
    raise errors.UserError(f'{takes}; {_FIX}. (--check-memory False starts the run all the same.)')
  if size > most / 2:
    _LOG.warning('%s; %s.', takes, _FIX)
    return None
  return f'{takes}.'


def available() -> int:
  """Bytes of memory that this machine has, or that the system lets this process have of them."""
  return min([os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE'), *_limits()])


def _limits(root: str = '/') -> Iterator[int]:
  """The limits of the control groups that this process is in, of either version."""
  with contextlib.suppress(OSError):
    with open(os.path.join(root, 'proc/self/cgroup'), encoding='utf-8') as file:
      groups = [line.rstrip('\n').split(':', 2) for line in file]
    for _, controllers, path in groups:
      if not controllers:
        yield from _limits_along(os.path.join(root, 'sys/fs/cgroup'), path, 'memory.max')
      elif 'memory' in controllers.split(','):
        yield from _limits_along(os.path.join(root, 'sys/fs/cgroup/memory'), path, 'memory.limit_in_bytes')


def _limits_along(folder: str, path: str, name: str) -> Iterator[int]:
  """The limits of a group and of all that it is in."""
  parts = [part for part in path.split('/') if part]
  for count in range(len(parts) + 1):
    with contextlib.suppress(OSError, ValueError):  # Not there, or `max`: no limit.
      with open(os.path.join(folder, *parts[:count], name), encoding='utf-8') as file:
        yield int(file.read())


def _gigabytes(size: int) -> str:
  return f'{size / 1e9:.1f} GB'
