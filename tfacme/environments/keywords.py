"""The keyword arguments that the maker of an environment takes."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Iterable, List, Mapping

from tfacme import errors


def names(function: Callable[..., Any], without: Iterable[str] = ()) -> List[str]:
  """The names of a function's parameters, but for those that its caller sees to."""
  return [name for name in inspect.signature(function).parameters if name not in {'self', *without}]


def check(environment_id: str, kwargs: Mapping[str, Any], known: Iterable[str]) -> None:
  """Raises a `UserError` for a keyword argument that is not among those known."""
  known = list(known)
  hint = f'it takes {", ".join(known) or "none"}.'
  for name in kwargs:
    if name not in known:
      raise errors.unknown(f'keyword argument of {environment_id}', name, known, hint)
