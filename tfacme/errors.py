"""The errors of tfacme.

`UserError` is a mistake that the user can fix: its message is one sentence that names the thing and the fix, and the
command line prints it without a traceback. Everything else is a bug and keeps its traceback.
"""

from __future__ import annotations

import contextlib
import difflib
import math
import numbers
import os
from typing import Any, Iterable, Iterator, Optional, Sequence


class UserError(ValueError):
  """A mistake that the user can fix. The message is one sentence that names the thing and the fix."""


class NonFiniteError(FloatingPointError):
  """A NaN or an infinity where learning can't continue with one."""


class CorruptCheckpointError(RuntimeError):
  """What was restored is not what was saved."""


def in_range(
  name: str,
  value: float,
  low: Optional[float] = None,
  high: Optional[float] = None,
  above: Optional[float] = None,
  below: Optional[float] = None,
) -> None:
  """Raises a `UserError` unless `low <= value <= high` and `above < value < below`.

  None is no bound; a number without any has to be finite.
  """
  if not isinstance(value, numbers.Real):
    raise UserError(f'{name} is {value!r}, and has to be a number.')
  if low is not None and not value >= low:
    raise UserError(f'{name} is {value}, and has to be at least {low}.')
  if above is not None and not value > above:
    raise UserError(f'{name} is {value}, and has to be more than {above}.')
  if high is not None and not value <= high:
    raise UserError(f'{name} is {value}, and has to be at most {high}.')
  if below is not None and not value < below:
    raise UserError(f'{name} is {value}, and has to be less than {below}.')
  if low is high is above is below is None and not math.isfinite(value):
    raise UserError(f'{name} is {value}, and has to be a finite number.')


def count(name: str, value: int, low: int = 1) -> None:
  """Raises a `UserError` unless a setting is a whole number of at least `low`."""
  if isinstance(value, bool) or not isinstance(value, numbers.Integral):
    raise UserError(f'{name} is {value!r}, and has to be a whole number.')
  in_range(name, value, low=low)


def at_least(name: str, value: float, other: str, bound: float) -> None:
  """Raises a `UserError` unless a setting's value is at least that of another one."""
  if value < bound:
    raise UserError(f'{name} is {value}, and has to be at least {other}, {bound}.')


def path(name: str, value: Any, wanted: str) -> Optional[str]:
  """A setting that is a path, as an absolute one, or None; raises a `UserError` that says what is wanted otherwise."""
  if value is None:
    return None
  if not isinstance(value, (str, os.PathLike)):
    raise UserError(f'{name} is {value!r}, and has to be {wanted}.')
  return os.path.abspath(os.path.expanduser(value))


@contextlib.contextmanager
def writing(what: str, path: str) -> Iterator[None]:
  """Turns the system's errors in writing to a path that the user gave into a `UserError`."""
  try:
    yield
  except OSError as error:
    link = _dangling(path)
    if link is None:
      raise UserError(f'{what} {path} can not be written: {error.strerror or error}.') from error
    raise UserError(
      f'{what} {path} can not be written: {link} is a link to {os.readlink(link)}, which is not there; make that, or '
      'remove the link.'
    ) from error


def _dangling(path: str) -> Optional[str]:
  """The part of a path that is a link to what is not there, or None."""
  part, last = os.path.abspath(path), ''
  while part != last:
    if os.path.islink(part) and not os.path.exists(part):
      return part
    part, last = os.path.dirname(part), part
  return None


@contextlib.contextmanager
def writing_file(what: str, path: str) -> Iterator[None]:
  """As `writing`, for a file, whose folder it makes."""
  with writing(what, path):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    yield


def listed(names: Iterable[str], most: int = 3, more: str = 'more') -> str:
  """Names in a sentence, the first of them: 'a, b, c and 2 more'."""
  names = list(names)
  rest = len(names) - most
  return ', '.join(names[:most]) + (f' and {rest} {more}' if rest > 0 else '') or 'none'


def counted(count: int, what: str) -> str:
  """How many of what, in a sentence: 'one episode', '1,200 episodes'."""
  return f'one {what}' if count == 1 else f'{count:,} {what}s'


def unknown(kind: str, name: str, known: Iterable[str], hint: str = '') -> UserError:
  """The error for a name that does not exist, with the nearest names that do."""
  known, name = list(known), str(name)
  alike = [other for other in known if other.lower() == name.lower()]
  return no_such(kind, name, alike or difflib.get_close_matches(name, known, n=3, cutoff=0.4), hint)


def no_such(kind: str, name: str, near: Sequence[str], hint: str = '') -> UserError:
  """The error for a name that does not exist, with those that may be meant; `hint` if there are none."""
  fix = f'did you mean {" or ".join(near)}?' if near else hint
  return UserError(f'There is no {kind} {name!r}{"; " + fix if fix else "."}')
