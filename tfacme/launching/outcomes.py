"""How a run ends when it does not come to its own end."""

from __future__ import annotations

import signal


class NodeFailed(RuntimeError):
  """A node failed. The message has its name and its own traceback, or the signal that killed it."""

  def __init__(self, node: str, story: str):
    super().__init__(f'The node {node} failed:\n{story.rstrip()}')
    self.node = node


class Interrupted(KeyboardInterrupt):
  """Somebody stopped the run, by Ctrl-C or SIGTERM."""

  def __init__(self, signum: int):
    super().__init__(f'stopped by {signal.Signals(signum).name}')
    self.signum = signum

  @property
  def exit_code(self) -> int:
    """As a shell expects it: 130 or 143."""
    return 128 + self.signum
