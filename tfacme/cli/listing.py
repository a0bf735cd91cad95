"""The agent that a command line names, and lists of names for a terminal."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

from tfacme import errors
from tfacme.agents import registry


def agent(command: str, arguments: Sequence[str]) -> Optional[str]:
  """The agent that a command line begins with; None if it asks for help before it names one."""
  if arguments and not arguments[0].startswith('-'):
    registry.config(arguments[0])  # Raises the error that names the nearest agents.
    return arguments[0]
  if {'-h', '--help'} & set(arguments):
    agents = columns(list(registry.summaries().items()))
    print('\n'.join([f'usage: tfacme {command} AGENT ...', '', 'agents:', *agents]))
    print(f'\ntfacme {command} AGENT --help lists the options.')
    return None
  known = ', '.join(registry.names())
  raise errors.UserError(f'tfacme {command} needs the agent first: tfacme {command} AGENT ...; there are {known}.')


def columns(rows: Sequence[Tuple[str, str]]) -> Sequence[str]:
  """Lines of two columns."""
  width = max(len(left) for left, _ in rows) + 2
  return [f'  {left:{width}}{right}' for left, right in rows]
