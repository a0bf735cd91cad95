"""`tfacme status`: how a run stands, from any terminal."""

from __future__ import annotations

import dataclasses
import sys
import time
from typing import Any, Mapping, Optional, Sequence

import rich.console
import rich.table
import rich.text
import tyro
from typing_extensions import Annotated

from tfacme import errors
from tfacme.cli import parsing
from tfacme.runs import describing, display, reporting
from tfacme.runs import status as status_lib

_LONGEST_SECONDS = 5.0  # to wait for a second status, which rates take
_SILENT_SECONDS = 10.0  # after which it is said that nothing was heard of a node
_COUNTS = ('actor_steps', 'learner_steps', 'evaluator_steps')  # the first one that a node has is what it is there for


@dataclasses.dataclass(frozen=True)
class _StatusOptions:
  """Says how a run stands: its progress, and of each node its host, what it does or waits for, and how often it failed.

  Attributes:
    run: the run's folder.
  """

  run: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar='RUN')]]


def run(arguments: Sequence[str]) -> None:
  """Runs the command."""
  options = parsing.parse(_StatusOptions, arguments, 'tfacme status')
  description = describing.read(options.run)
  first = status_lib.read(options.run)
  if first is None:
    raise errors.UserError(f'The run in {options.run} has said nothing of itself yet.')
  last = first if first.running is False else _following(options.run, first)
  console = rich.console.Console(file=sys.stdout, highlight=False)
  for line in (reporting.opening(description, options.run), _standing(last)):
    console.print(line, markup=False, soft_wrap=True)
  console.print(display.table([(told.time, told.status) for told in {first.time: first, last.time: last}.values()]))
  # In one thread each waits while another one works, and that says nothing.
  console.print(_nodes(first, last, one_thread=description['launch'] == 'inline'))


def _following(workdir: str, first: status_lib.Told) -> status_lib.Told:
  """The next thing that a run says; the first, if it says nothing for too long."""
  deadline = time.monotonic() + _LONGEST_SECONDS
  while time.monotonic() < deadline:
    time.sleep(0.1)
    if (last := status_lib.read(workdir)) is not None and last.time != first.time:
      return last
  return first


def _standing(told: status_lib.Told) -> str:
  where, ago = f'process {told.process} on {told.host}', display.duration(max(0.0, time.time() - told.time))
  if told.running is None:
    return f'It was last heard of {ago} ago, as {where}.'
  return f'It runs as {where}; this is of {ago} ago.' if told.running else f'It does not run; it ended {ago} ago.'


def _nodes(first: status_lib.Told, last: status_lib.Told, one_thread: bool) -> rich.table.Table:
  """A line for each node; without the columns in which there is nothing to tell apart."""
  before, seconds = first.status.get('nodes', {}), last.time - first.time
  rows = []
  for name, node in last.status.get('nodes', {}).items():
    note, steps = last.status['notes'].get(name, {}), _steps(node)
    rows.append(
      {
        'node': name,
        'host': note.get('host', ''),
        'process': str(note.get('process', '')),
        'made anew': f'{node["restarts"]} times' if node['restarts'] else '',
        'steps': '' if steps is None else f'{steps:,}',
        'a second': _rate(before.get(name), node, seconds),
        'now': _doing(node, note, one_thread),
      }
    )
  told = ['node', *(name for name in ('host', 'process') if len({row[name] for row in rows}) > 1)]
  told += [name for name in ('made anew', 'steps', 'a second', 'now') if any(row[name] for row in rows)]
  table = rich.table.Table(box=None, pad_edge=False, header_style='bold cyan')
  for name in told:
    table.add_column(name, justify='right' if name in ('steps', 'a second') else 'left', overflow='fold')
  for row in rows:
    table.add_row(*(rich.text.Text(row[name]) for name in told))
  return table


def _steps(node: Mapping[str, Any]) -> Optional[int]:
  """How many steps a node has made, of what it is there for; None if it counts none."""
  return next((node['counts'][name] for name in _COUNTS if name in node['counts']), None)


def _rate(before: Optional[Mapping[str, Any]], node: Mapping[str, Any], seconds: float) -> str:
  steps = _steps(node)
  if before is None or seconds <= 0 or steps is None:
    return ''
  return f'{max(0, steps - (_steps(before) or 0)) / seconds:,.0f}'


def _doing(node: Mapping[str, Any], note: Mapping[str, Any], one_thread: bool) -> str:
  """What a node does, or what it waits for."""
  if node['lost']:
    return 'lost, and made anew'
  if node['finished']:
    return 'done'
  if note.get('hangs_in'):
    return f'in {note["hangs_in"]} for {display.duration(note["hangs_seconds"])}'
  if not one_thread and node['silent_seconds'] >= _SILENT_SECONDS:
    return f'nothing was heard of it for {display.duration(node["silent_seconds"])}'
  if note.get('doing'):
    return note['doing']
  if note.get('blocked'):
    return f'waits for {note["blocked"]}, for {display.duration(note.get("blocked_seconds") or 0.0)}'
  if note.get('evaluating'):
    return f'evaluates: {note["evaluating"]["episodes"]} of {note["evaluating"]["of"]} episodes'
  return 'works'
