"""Which lines of Python made an operation of a graph."""

from __future__ import annotations

import re
from typing import Any, Iterator, List, Sequence

_NODE = re.compile(r'\{\{node ([^}]+)\}\}')  # as TensorFlow's runtime names the operation that failed


def stack(graph: Any, message: str) -> Sequence[Any]:
  """The frames of the operation that an error's message names, the innermost last; none if it can't be found.

  Args:
    graph: that was run; the operation may be in one of its functions, such as the body of a loop.
    message: of the error.
  """
  graphs = list(_graphs(graph))
  for name in _NODE.findall(message):
    parts = name.split('/')
    # The runtime puts the names of calls before those of operations in the functions that are called.
    for start in range(len(parts)):
      for one in graphs:
        try:
          return list(one.get_operation_by_name('/'.join(parts[start:])).traceback)
        except (KeyError, ValueError):
          continue
  return []


def _graphs(graph: Any) -> Iterator[Any]:
  """A graph and those of its functions."""
  waiting: List[Any] = [graph]
  while waiting:
    one = waiting.pop(0)
    yield one
    waiting.extend(function.graph for function in one._functions.values() if hasattr(function, 'graph'))
