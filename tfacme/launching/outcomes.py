"""How a run ends before its budget is spent."""

from __future__ import annotations

import signal
from typing import Optional


class NodeFailed(RuntimeError):
  """A node failed. The message has its name and its own traceback, or the signal that killed it.

  Attributes:
    node: its name.
    account: its traceback, or how it was killed.
  """

  def __init__(self, node: str, account: str):
    super().__init__(f'The node {node} failed:\n{account.rstrip()}')
    self.node = node
    self.account = account


class CoreLost(NodeFailed):
  """A node of a run's core was killed, or vanished: nothing in it was wrong, and the last checkpoint is whole."""


class DeadlockError(RuntimeError):
  """All workers of a run wait for each other."""


class Stopped(KeyboardInterrupt):
  """Ctrl-C or SIGTERM ended what was going on.

  Attributes:
    signum: the signal.
  """

  def __init__(self, signum: int, left: str = ''):
    """Args: left: what there is of it, as a phrase."""
    super().__init__(signum)
    self.signum = signum
    self._left = left

  @property
  def left(self) -> str:
    """What there is of it, as a phrase."""
    return self._left

  def __str__(self) -> str:
    return f'stopped by {signal.Signals(self.signum).name}; {self.left}'

  @property
  def exit_code(self) -> int:
    """As a shell expects it: 130 or 143."""
    return 128 + self.signum


class Interrupted(Stopped):
  """The run was stopped by Ctrl-C or SIGTERM.

  Attributes:
    signum: the signal.
    saved: whether a checkpoint was written: it may be that there was no time, or that prefills were still writing.
    exported: whether the policy of that checkpoint was written too.
    begun: whether all prefills were written, so that actors could act.
    earlier: whether there is a checkpoint from before; None where nobody looked for one.
  """

  def __init__(
    self,
    signum: int,
    saved: bool = True,
    begun: bool = True,
    exported: bool = True,
    earlier: Optional[bool] = None,
  ):
    super().__init__(signum)
    self.saved = saved and begun
    self.begun = begun
    self.exported = self.saved and exported
    self.earlier = earlier

  @property
  def left(self) -> str:
    """What there is to go on from, as a phrase."""
    if self.saved and not self.exported:
      return (
        'a checkpoint is written, and the same command resumes from it; there was no time '
        '(--checkpointing.stop-seconds) to write its policy too, which `tfacme evaluate RUN --checkpoint STEPS` takes '
        'from it'
      )
    if self.saved:
      return 'a checkpoint is written, and the same command resumes from it'
    if not self.begun:
      return 'its prefills were still writing, so nothing is saved, and the same command begins them again'
    if self.earlier is False:
      return 'no checkpoint is written yet, and the same command begins again'
    there = '' if self.earlier else ', if there is one'
    return (
      'there was no time (--checkpointing.stop-seconds) to write a checkpoint, and the same command resumes from the '
      f'one before{there}'
    )
