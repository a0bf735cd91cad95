"""What the parts of an experiment are called, the same in every process, so that a run can go on as what it was."""

from __future__ import annotations

import dataclasses
import dis
import functools
import hashlib
import re
import reprlib
import sys
import types
from typing import Any, Mapping, Sequence

from tfacme import mistakes


def name(part: Any) -> str:
  """What a part is called: its id, or its type or function with what it was made from.

  A function that is not of an installed package has a digest of its code beside its name: a notebook may change it. Not
  every difference between two parts shows: two objects of a plain class have the same name, and a function's code is
  not that of others that it calls by their names.
  """
  if isinstance(getattr(part, 'id', None), str):
    settings = getattr(getattr(part, 'options', None), 'changed', {})
    return ' '.join([part.id, *([name(settings)] if settings else []), *map(name, getattr(part, 'wrappers', ()))])
  if isinstance(part, functools.partial):
    return f'{name(part.func)}({_list(part.args, part.keywords)})'
  if isinstance(part, Mapping):
    return f'{{{_list((), part)}}}'
  if isinstance(part, (set, frozenset)):
    return f'{{{", ".join(sorted(map(name, part)))}}}'
  if isinstance(part, (list, tuple)):
    return f'({_list(part, {})})'
  if dataclasses.is_dataclass(part) and not isinstance(part, type):
    fields = {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}
    return f'{type(part).__qualname__}({_list((), fields)})'
  if isinstance(part, types.ModuleType):
    return part.__name__
  if isinstance(part, types.FunctionType):
    return _function(part)
  if callable(part) or type(part).__repr__ is object.__repr__:
    named = part if hasattr(part, '__qualname__') else type(part)
    return f'{named.__module__}:{named.__qualname__}'
  return re.sub(' at 0x[0-9a-fA-F]+', '', repr(part))  # An address is another one in each process.


def _list(parts: Sequence[Any], named: Mapping[Any, Any]) -> str:
  return ', '.join([*map(name, parts), *(f'{key}={name(part)}' for key, part in named.items())])


@reprlib.recursive_repr()  # A function may have itself in its closure.
def _function(function: types.FunctionType) -> str:
  named = f'{function.__module__}:{function.__qualname__}'
  made = [] if _is_installed(function.__module__) else [_code(function.__code__)]
  if made:
    made += [name(function.__defaults__), name(function.__kwdefaults__)]
  made += [_content(cell) for cell in function.__closure__ or ()]
  return f'{named}#{hashlib.blake2b(" ".join(made).encode(), digest_size=4).hexdigest()}' if made else named


def _is_installed(module: str) -> bool:
  """Whether a module belongs to tfacme, to Python or to an installed package: what those are, their versions say."""
  file = getattr(sys.modules.get(module), '__file__', None)
  if file is None or module == '__main__':
    return False
  return not mistakes.is_users(file)


def _code(code: types.CodeType) -> str:
  """What a function does: its instructions with what they name, without docstrings and places in a file."""
  instructions = dis.get_instructions(code)
  return ' '.join(f'{one.opname} {_argument(one.argval)}' for one in instructions)


def _argument(value: Any) -> str:
  return f'({_code(value)})' if isinstance(value, types.CodeType) else name(value)


def _content(cell: types.CellType) -> str:
  try:
    return name(cell.cell_contents)
  except ValueError:  # It is not assigned yet.
    return ''
