"""Command lines made from dataclasses by tyro, with errors of one line."""

from __future__ import annotations

import contextlib
import difflib
import io
import re
from typing import Any, List, NoReturn, Optional, Sequence, Type, TypeVar

import tyro

from tfacme import errors

_T = TypeVar('_T')


def parse(options: Type[_T], arguments: Sequence[str], prog: str, default: Optional[_T] = None) -> _T:
  """Reads a dataclass from a command line; `--help` prints all of its options, with meanings and defaults, and exits.

  Options are named as the fields are, `--config.batch_size`; hyphens may stand for underscores.

  Args:
    options: the dataclass.
    arguments: the command line.
    prog: the command that it is for, as the user types it.
    default: where options that are not given come from; None takes the dataclass's own defaults.

  Raises:
    errors.UserError: for an option or value that is wrong.
    SystemExit: after `--help`.
  """
  arguments = [_with_underscores(argument) for argument in arguments]
  if {'-h', '--help'} & set(arguments):
    tyro.cli(options, args=arguments, prog=prog, default=default, use_underscores=True)
  # tyro prints its errors as boxes of many lines. So what argparse finds wrong is found first by a parser that raises
  # instead, and what is left, values that do not fit their types, is taken from the exception behind tyro's exit.
  parser = tyro.extras.get_parser(options, prog=prog, default=default, use_underscores=True)

  def fail(message: str) -> NoReturn:
    raise _explain(message, arguments, prog, _options(parser.format_help()))

  parser.error = fail
  parser.parse_args(arguments)
  try:
    with contextlib.redirect_stdout(io.StringIO()):
      return tyro.cli(options, args=arguments, prog=prog, default=default, use_underscores=True)
  except SystemExit as exit_:
    raise _behind(exit_, arguments, prog) from None


def _with_underscores(argument: str) -> str:
  name, equals, value = argument.partition('=')
  return f'--{name[2:].replace("-", "_")}{equals}{value}' if name.startswith('--') else argument


def _options(help_text: str) -> List[str]:
  """The names of all options that a help text shows."""
  return list(dict.fromkeys(re.findall(r'(?<![\w-])--[a-z][\w.]*', help_text)))


def _explain(message: str, arguments: Sequence[str], prog: str, known: Sequence[str]) -> errors.UserError:
  """Says what argparse found wrong so that the thing and the fix are named."""
  hint = f'{prog} --help lists them.'
  if message.lower().startswith('unrecognized'):
    for argument in arguments:
      name = argument.partition('=')[0]
      if name.startswith('--') and name not in known:
        return errors.unknown('option', name, difflib.get_close_matches(name, known, n=2, cutoff=0.7), hint)
    return errors.UserError(f'{message.partition(":")[2].strip()!r} belongs to no option of {prog}; {hint}')
  required = 'the following arguments are required: '
  if message.startswith(required):
    return errors.UserError(f'{prog} needs {message[len(required) :]}; {prog} --help says what that is.')
  choice = re.match(r"argument (\S+): invalid choice: '(.*)' \(choose from (.*)\)", message)
  if choice:
    choices = ', '.join(sorted(re.findall(r"'(.*?)'", choice[3])))
    return errors.UserError(f"{choice[1]} can't be {choice[2]!r}; it is one of {choices}.")
  return errors.UserError(f'{message.replace("argument ", "", 1).rstrip(".")}; see {prog} --help.')


def _behind(exit_: SystemExit, arguments: Sequence[str], prog: str) -> BaseException:
  """The mistake because of which tyro exited."""
  cause: Optional[BaseException] = exit_
  value_error: Any = None
  while cause is not None:
    if isinstance(cause, errors.UserError):
      return cause
    if hasattr(cause, 'message') and hasattr(cause, 'arg'):  # tyro's own: which argument, and what is wrong with it
      value_error = cause
    cause = cause.__context__
  if value_error is None:
    return exit_
  if isinstance(value_error.arg, str):  # A whole dataclass that can't be made of these values.
    return errors.UserError(f'--{value_error.arg}: {value_error.message}')
  name, kind = value_error.arg.lowered.name_or_flag, value_error.arg.lowered.metavar
  given = ' '.join(_values(arguments, name))
  return errors.UserError(f'{name} takes {kind}, and {given!r} is not that; see {prog} --help.')


def _values(arguments: Sequence[str], name: str) -> List[str]:
  """What a command line gives to an option."""
  values: List[str] = []
  taking = False
  for argument in arguments:
    if argument.startswith('--'):
      option, equals, value = argument.partition('=')
      taking = option == name
      values += [value] if taking and equals else []
    elif taking:
      values.append(argument)
  return values
