"""`tfacme logs`: the newest rows of a node's log, from any terminal."""

from __future__ import annotations

import dataclasses
import sys
import time
from typing import Dict, List, Sequence, Tuple

import rich.console
import rich.table
import rich.text
import tyro
from typing_extensions import Annotated

from tfacme import errors, loggers
from tfacme.cli import parsing
from tfacme.runs import describing

_TIME = 'timestamp'
_GAP = 2  # characters between two columns


@dataclasses.dataclass(frozen=True)
class _LogsOptions:
  """Prints the newest rows of a node's log, or says which logs a run has.

  Attributes:
    run: the run's folder.
    node: whose log it is, such as learner, actor-0 or evaluator; without one, all logs are listed.
    last: how many rows.
    columns: those that are shown; without any, as many as the terminal has room for.
  """

  run: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar='RUN')]]
  node: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar='NODE')]] = ''
  last: int = 20
  columns: Tuple[str, ...] = ()


def run(arguments: Sequence[str]) -> None:
  """Runs the command."""
  options = parsing.parse(_LogsOptions, arguments, 'tfacme logs')
  describing.read(options.run)  # It is a run.
  errors.count('last', options.last)
  files = loggers.files(options.run)
  if not files:
    raise errors.UserError(f'The run in {options.run} has logged nothing yet.')
  console = rich.console.Console(file=sys.stdout, highlight=False)
  if not options.node:
    _list(console, {node: loggers.read(path) for node, path in sorted(files.items())})
  elif options.node in files:
    _print(console, loggers.read(files[options.node])[-options.last :], options.columns)
  else:
    raise errors.unknown(f'log of the run in {options.run}', options.node, sorted(files))


def _list(console: rich.console.Console, logs: Dict[str, List[Dict[str, str]]]) -> None:
  """A line for each log."""
  table = _table(['node', 'rows', 'last', 'columns'])
  for name, rows in logs.items():
    columns = [column for column in (rows[-1] if rows else {}) if column != _TIME]
    last = _shown(_TIME, rows[-1][_TIME]) if rows and _TIME in rows[-1] else ''
    table.add_row(name, f'{len(rows):,}', last, rich.text.Text(', '.join(columns)))
  console.print(table)


def _print(console: rich.console.Console, rows: Sequence[Dict[str, str]], wanted: Sequence[str]) -> None:
  """The rows; what there is no room for is named below them."""
  known = list(rows[-1]) if rows else []
  for column in wanted:
    if column not in known:
      raise errors.unknown('column of this log', column, known)
  texts = {column: [_shown(column, row[column]) for row in rows] for column in wanted or known}
  widths = {column: max(len(column), *map(len, shown)) + _GAP for column, shown in texts.items()}
  shown, room = [], console.width + _GAP
  for column in texts:
    if wanted or widths[column] <= room:
      shown.append(column)
      room -= widths[column]
  table = _table(shown)
  for row in zip(*(texts[column] for column in shown)):
    table.add_row(*map(rich.text.Text, row))
  console.print(table)
  if left := [column for column in texts if column not in shown]:
    console.print(f'There is no room for {", ".join(left)} (--columns).', markup=False, soft_wrap=True)


def _table(columns: Sequence[str]) -> rich.table.Table:
  table = rich.table.Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style='bold cyan')
  for name in columns:
    left = name in ('node', 'columns', 'last', _TIME)
    table.add_column(name, justify='left' if left else 'right', no_wrap=name != 'columns')
  return table


def _shown(column: str, text: str) -> str:
  """A value for people: moments as local time, and numbers with the digits that matter."""
  try:
    number = float(text)
  except ValueError:
    return text
  if column == _TIME:
    return time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(number))
  return f'{number:,.0f}' if number.is_integer() else f'{number:.4g}'
