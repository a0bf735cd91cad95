"""Functions for the leaves of a nest, put together into one function for the whole nest.

Walking a nest generically costs some ten microseconds a step. The structure of an observation or an action never
changes, so that the walk can be done once, and leaves that nobody has to touch can be left out of it.
"""

from __future__ import annotations

from collections import abc
from typing import Any, Callable, Optional

_Function = Callable[[Any], Any]


def apply_each(functions: Any) -> Optional[_Function]:
  """Returns the function that applies each leaf of `functions` to the leaf of its argument in the same place.

  Args:
    functions: A nest of dicts, lists, tuples and NamedTuples. A leaf is a function, or None where the value is to stay
      as it is.

  Returns:
    A function from a nest to a nest of the type of `functions`, or None if there is nothing to apply.
  """
  if functions is None or callable(functions):
    return functions
  if isinstance(functions, abc.Mapping):
    return _apply_to_mapping({key: apply_each(value) for key, value in functions.items()}, type(functions))
  parts = [apply_each(value) for value in functions]
  if not any(parts):
    return None
  is_named = hasattr(functions, '_fields')
  build = type(functions)._make if is_named else type(functions)
  return lambda values: build([part(value) if part else value for part, value in zip(parts, values, strict=True)])


def _apply_to_mapping(parts: dict[Any, Optional[_Function]], build: _Function) -> Optional[_Function]:
  if not any(parts.values()):
    return None
  items = list(parts.items())
  if build is dict:
    return lambda values: {key: part(values[key]) if part else values[key] for key, part in items}
  return lambda values: build({key: part(values[key]) if part else values[key] for key, part in items})
