"""A function of one's own as a logger."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable

from tfacme import errors
from tfacme.loggers import base


@dataclasses.dataclass(frozen=True)
class EachRow:
  """Gives each row of each node to a function, in the node: in its process, between two of its steps.

      loggers=[loggers.TensorBoard(), loggers.EachRow(lambda name, row: print(name, row))]

  Attributes:
    function: takes the name of the node and the row. What it raises ends the run.
  """

  function: Callable[[str, base.Row], Any]

  def __post_init__(self):
    if not callable(self.function):
      raise errors.UserError(f'EachRow has {self.function!r}, and takes a function of the name of a node and a row.')

  def __call__(self, log: base.Log) -> base.Logger:
    return _Calling(self.function, log.name)


class _Calling:
  """Calls a function with the rows of one node."""

  def __init__(self, function: Callable[[str, base.Row], Any], name: str):
    self._function, self._name = function, name

  def write(self, row: base.Row) -> None:
    """Calls it with a copy of the row, which it may keep."""
    self._function(self._name, dict(row))

  def close(self) -> None:
    """Does nothing: the function has had all rows."""
