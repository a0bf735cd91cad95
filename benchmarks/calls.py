"""Counts the calls that the nodes of a run answer."""

from __future__ import annotations

import dataclasses
import itertools
import os
import pathlib
import threading
import time
from typing import Any, Callable

COUNTED = {'learner': 'get', 'relay': 'get', 'counter': 'report'}  # role: what others call
_NOTED_SECONDS = 0.2  # between two writes of what a node has counted


@dataclasses.dataclass(frozen=True)
class Calls:
  """Wraps the objects of nodes; stands where a profile does (`tfacme.debugging.profiling`) in a program.

  It is in a module of its own, which all nodes import.

  Attributes:
    folder: has a file for each node, with its number of calls.
  """

  folder: str

  def make(self, role: str, factory: Callable[..., Any], **links: Any) -> Any:
    """Makes the object of a node."""
    made = factory(**links)
    if role in COUNTED:
      self._count(made, role, COUNTED[role])
    return made

  def _count(self, made: Any, role: str, method: str) -> None:
    inner, numbers, latest = getattr(made, method), itertools.count(1), [0]
    path = os.path.join(self.folder, f'{role}-{os.getpid()}')

    def counting(*arguments: Any) -> Any:
      latest[0] = next(numbers)
      return inner(*arguments)

    def note() -> None:
      while True:
        with open(f'{path}.partial', 'w', encoding='utf-8') as file:
          file.write(str(latest[0]))
        os.replace(f'{path}.partial', path)
        time.sleep(_NOTED_SECONDS)

    setattr(made, method, counting)
    threading.Thread(target=note, daemon=True).start()

  def total(self, role: str) -> int:
    """Calls that all nodes of a role have answered."""
    files = pathlib.Path(self.folder).glob(f'{role}-*[0-9]')
    return sum(int(file.read_text(encoding='utf-8')) for file in files)
