"""Command lines made from dataclasses by tyro, with errors of one line."""

from __future__ import annotations

import contextlib
import decimal
import io
import re
from typing import Any, Container, List, Mapping, NoReturn, Optional, Sequence, Type, TypeVar

import tyro

from tfacme import errors
from tfacme.cli import presets, suggesting

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
  known = {option: action for action in parser._actions for option in action.option_strings}
  settable = {option for option, action in known.items() if action.metavar != '{fixed}'}
  arguments = presets.expand(arguments, settable, prog)

  def fail(message: str) -> NoReturn:
    raise _explain(message, arguments, prog, {option: action.help or '' for option, action in known.items()})

  parser.error = fail
  arguments = _whole_numbers(arguments, {option for option, action in known.items() if 'INT' in str(action.metavar)})
  parser.parse_args(arguments)
  try:
    with contextlib.redirect_stdout(io.StringIO()):
      return tyro.cli(options, args=arguments, prog=prog, default=default, use_underscores=True)
  except SystemExit as exit_:
    raise _behind(exit_, arguments, prog) from None


def _with_underscores(argument: str) -> str:
  name, equals, value = argument.partition('=')
  return f'--{name[2:].replace("-", "_")}{equals}{value}' if name.startswith('--') else argument


def _whole_numbers(arguments: Sequence[str], options: Container[str]) -> List[str]:
  """The arguments with 10000 for 1e4, among the values of `options`, which take whole numbers."""
  written: List[str] = []
  taking = False
  for argument in arguments:
    name, equals, value = argument.partition('=')
    if name.startswith('--'):
      taking = name in options
      written.append(f'{name}={_written_out(value)}' if taking and equals else argument)
    else:
      written.append(_written_out(argument) if taking else argument)
  return written


def _written_out(text: str) -> str:
  """1e4 as 10000, and whatever is not a whole number with an exponent as it is."""
  if not re.fullmatch(r'[+-]?[\d_]+(\.\d*)?[eE]\+?\d{1,2}', text):
    return text
  value = decimal.Decimal(text)
  return str(int(value)) if value == value.to_integral_value() else text


def _explain(message: str, arguments: Sequence[str], prog: str, known: Mapping[str, str]) -> errors.UserError:
  """Says what argparse found wrong so that the thing and the fix are named; `known` are the options and their help."""
  hint = f'{prog} --help lists them.'
  if message.lower().startswith('unrecognized'):
    for argument in arguments:
      name = argument.partition('=')[0]
      if name.startswith('--') and name not in known:
        return errors.no_such('option', name, suggesting.suggest(name, known), hint)
    return errors.UserError(f'{message.partition(":")[2].strip()!r} is no value of any option of {prog}; {hint}')
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
  name, kind = value_error.arg.lowered.name_or_flag, _kind(value_error.arg.lowered.metavar)
  if kind == '{fixed}':
    return errors.UserError(f'{name} can not be set on a command line; set it in Python.')
  given = ' '.join(_values(arguments, name))
  return errors.UserError(f'{name} takes {kind}, and {given!r} is not that; see {prog} --help.')


def _kind(metavar: str) -> str:
  """What an option takes as a text: `{None}|{[INT [INT ...]]}` as None, or INT [INT ...]."""
  if re.fullmatch(r'\[STR (.*) \[STR \1 \.\.\.\]\]', metavar):
    return 'NAME VALUE [NAME VALUE ...]'
  metavar = metavar.replace('{None}|', 'None, or ').replace('|{', ', or {')
  return re.sub(r'\{\[?([^{}]* [^{}]*?)(\])?\}', r'\1', metavar)


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
