"""What a command line says of an option before there is a parser for it."""

from __future__ import annotations

from typing import Sequence


def peek(arguments: Sequence[str], name: str, default: str = '') -> str:
  """The value of an option, `--NAME VALUE` or `--NAME=VALUE`; the last one counts."""
  value = default
  for argument, following in zip(arguments, [*arguments[1:], default]):
    if argument == f'--{name}':
      value = following
    elif argument.startswith(f'--{name}='):
      value = argument.partition('=')[2]
  return value


def has(arguments: Sequence[str], name: str) -> bool:
  """Whether an option without a value is there, however its words are joined."""
  return any(argument.replace('_', '-') == f'--{name}' for argument in arguments)
