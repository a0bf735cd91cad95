"""How a run ends before its budget is spent."""

from __future__ import annotations

import signal


class NodeFailed(RuntimeError):
  """A node failed. The message has its name and its own traceback, or the signal that killed it."""

  def __init__(self, node: str, account: str):
    super().__init__(f'The node {node} failed:\n{account.rstrip()}')
    self.node = node


class DeadlockError(RuntimeError):
  """All workers of a run wait for each other."""


class Interrupted(KeyboardInterrupt):
  """The run was stopped by Ctrl-C or SIGTERM.

  Attributes:
    signum: the signal.
    saved: whether a checkpoint was written: it may be that there was no time, or that prefills were still writing.
  """

  def __init__(self, signum: int, saved: bool = True, begun: bool = True):
    """Args: begun: whether all prefills were written, so that actors could act."""
    if not begun:
      saved, end = False, 'its prefills were still writing, so nothing is saved, and the same command begins them again'
    elif saved:
      end = 'a checkpoint is written, and the same command resumes from it'
    else:
      end = (
        'there was no time (--checkpointing.stop-seconds) to write a checkpoint, and the same command resumes from '
        'the one before'
      )
    super().__init__(f'stopped by {signal.Signals(signum).name}; {end}')
    self.signum = signum
    self.saved = saved

  @property
  def exit_code(self) -> int:
    """As a shell expects it: 130 or 143."""
    return 128 + self.signum
