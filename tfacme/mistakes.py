"""Where in the user's own code a mistake is: what all errors that come of it say.

The user's own code is whatever is neither in tfacme, nor in an installed package, nor in Python's own library.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import linecache
import os
import re
import sysconfig
import traceback
from typing import Any, Iterator, List, NamedTuple, Optional, Sequence

from tfacme import errors

_OURS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '')
_LIBRARIES = tuple(
  os.path.join(real(sysconfig.get_path(name)), '')
  for name in ('stdlib', 'platstdlib')
  for real in (os.path.abspath, os.path.realpath)
)
_INSTALLED = re.compile(r'[/\\](site|dist)-packages[/\\]')
_TYPED = ('<stdin>', '<string>')  # what was typed, or given to `python -c`
_MOST = 300  # characters of an error's own message


class _Place(NamedTuple):
  """A line that was running, or that is the first of a function."""

  file: str
  line: int
  function: Optional[str]

  def __str__(self) -> str:
    code = linecache.getline(self.file, self.line).strip() if self.function else ''
    function = f', in {self.function}' if self.function else ''
    return f'{self.file}, line {self.line}{function}{": " + code if code else ""}'


def place(error: BaseException) -> Optional[str]:
  """The innermost line of the user's own code that an error came through: 'FILE, line 12, in __call__: CODE'.

  Where the error has none, those that it came of are asked: its causes, and what was being handled as it was raised.
  """
  for one in _chain(error):
    for found in _innermost_first(one):
      if is_users(found.file):
        return str(found)
  return None


def named(function: Any) -> str:
  """What a function, or what is called as one, is called, and where it is if that is in the user's own code."""
  if isinstance(function, str):
    return function
  function = _whole(function)
  name = getattr(function, '__qualname__', type(function).__qualname__).rpartition('<locals>.')[2]
  where = defined(function)
  return f'{name} ({where})' if where else name


def defined(thing: Any) -> Optional[str]:
  """Where a function, or what is called as one, is defined, if that is in the user's own code: 'FILE, line 10'."""
  thing = _whole(thing)
  if inspect.isroutine(thing):
    return _of_function(thing)
  kind = thing if inspect.isclass(thing) else type(thing)
  # Sonnet puts a function of its own in the place of each method.
  return (_of_function(kind.__call__) if kind is not thing and callable(thing) else None) or _of_class(kind)


def takes(function: Any, *arguments: Any, **more: Any) -> bool:
  """Whether something can be called with so many arguments."""
  if not callable(function):
    return False
  try:
    inspect.signature(function).bind(*arguments, **more)
  except TypeError:
    return False
  except ValueError:  # Some built-in functions have no signature.
    pass
  return True


def returned(function: Any, value: Any, wanted: str) -> errors.UserError:
  """The error for a function, or what is called as one, that returned something else than was wanted."""
  found = 'None' if value is None else f'a {type(value).__name__}'
  return errors.UserError(f'{named(function)} returned {found}, and has to return {wanted}.')


def describe(error: BaseException) -> str:
  """An error in one line: its type, the begin of its message, and the line of the user's own code, if there is one."""
  text, where = ' '.join(str(error).split()), place(error)
  short = text if len(text) <= _MOST else f'{text[:_MOST]} ...'
  return f'{type(error).__name__}{": " + short if short else ""}{f" ({where})" if where else ""}'


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
  """Turns an error out of the user's own code into a `UserError` that says where that is; all others stay as they are.

  Args:
    what: could not be done because of it, as a sentence: 'The networks can not be made'.
  """
  try:
    yield
  except errors.UserError:
    raise
  except Exception as error:
    if place(error) is None:
      raise
    raise errors.UserError(f'{what}: {describe(error)}.') from error


def account(error: BaseException) -> str:
  """The traceback of an error, and below it the line of the user's own code."""
  lines = traceback.format_exception(type(error), error, error.__traceback__)
  where = place(error)
  return ''.join([*lines, *([f'In your own code: {where}\n'] if where else [])])


def made_by(error: BaseException, stack: Sequence[Any]) -> None:
  """Tells an error of an operation which lines made that: frames, the innermost last, as `traceback` summarizes them.

  A graph's operation fails long after the line that made it has run, so that its traceback has none of the user's.
  """
  error.__dict__['operation_stack'] = list(stack)


def _chain(error: BaseException) -> List[BaseException]:
  """An error, and those that it came of."""
  chain: List[BaseException] = []
  one: Optional[BaseException] = error
  while one is not None and all(one is not other for other in chain):
    chain.append(one)
    one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
  return chain


def _innermost_first(error: BaseException) -> Iterator[_Place]:
  for frame in reversed(getattr(error, 'operation_stack', ())):
    yield _Place(frame.filename, frame.lineno, frame.name)
  # Of functions that TensorFlow has rewritten, as it does with Keras layers, it knows the lines that were written.
  rewritten = getattr(error, 'ag_error_metadata', None)
  for frame in getattr(rewritten, 'translated_stack', ()):
    yield _Place(frame.filename, frame.lineno, frame.function_name)
  for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
    yield _Place(frame.f_code.co_filename, line, frame.f_code.co_name)


def is_users(file: str) -> bool:
  """Whether a file, or what stands for one where code was typed, is the user's own."""
  if file.startswith('<'):
    return file.startswith('<ipython') or file in _TYPED
  if os.path.basename(file).startswith('__autograph_generated_file'):
    return False
  path = os.path.abspath(file)
  return not (path.startswith((_OURS, *_LIBRARIES)) or _INSTALLED.search(path))


def _of_function(function: Any) -> Optional[str]:
  code = getattr(inspect.unwrap(function), '__code__', None)
  return str(_Place(code.co_filename, code.co_firstlineno, None)) if code and is_users(code.co_filename) else None


def _of_class(kind: type) -> Optional[str]:
  try:
    file, (_, line) = inspect.getsourcefile(kind), inspect.getsourcelines(kind)
  except (OSError, TypeError):  # There is no file of it.
    return None
  return str(_Place(file, line, None)) if file and is_users(file) else None


def _whole(function: Any) -> Any:
  """A function without what some of its arguments were given by."""
  while isinstance(function, functools.partial):
    function = function.func
  return function
