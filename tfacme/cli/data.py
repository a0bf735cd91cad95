"""`tfacme data`: what is in a data set."""

from __future__ import annotations

import contextlib
import dataclasses
import json as json_lib
import logging
import math
import sys
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence

import numpy as np
import tyro
from typing_extensions import Annotated

from tfacme import core, datasets, environments, errors, specs
from tfacme.cli import options as options_lib
from tfacme.cli import parsing, running
from tfacme.datasets import summary as summary_lib
from tfacme.runs import rounding
from tfacme.workers import plotting, plotting_data

_BAR = 40  # characters of the longest bar of a histogram
_Data = tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar='DATASET')]]


@dataclasses.dataclass(frozen=True)
class _DataOptions:
  """Says what is in a data set, after one pass over it: returns, lengths, ends of episodes and ranges of values.

  The exit code is 1 if the data do not fit the environment that is given, or if a file is damaged.

  Attributes:
    dataset: what to look at, as --dataset of `tfacme train` names it: the folder of an RLDS data set, or
      tfds:NAME[/CONFIG][:VERSION].
    data: how it is read.
    env: an environment's id: whether the data fit it and how, and their values beside its bounds.
    environment: what it is made with, beside its id.
    verify: compare the checksums of all files first.
    recover: take in what a recording that was killed has left beside the data set, before all else; a recording that
      goes on in the folder does so too.
    plot: the file of a picture of returns and lengths; the ending says which format (.png, .svg, .pdf).
    json: print one JSON object instead.
  """

  dataset: _Data
  data: options_lib.Data = datasets.Options()
  env: Optional[str] = None
  environment: options_lib.Environment = environments.Options()
  verify: bool = False
  recover: bool = False
  plot: Optional[str] = None
  json: bool = False


class _Environment(NamedTuple):
  """An environment beside which data are held."""

  factory: environments.EnvironmentFactory
  spec: specs.EnvironmentSpec


class _Fit(NamedTuple):
  """Whether data fit an environment, and what was said of it."""

  fits: bool
  how: List[str]
  bounds: Dict[str, str]  # of fields, beside the environment's


class _Told(NamedTuple):
  """What is said of data beside their numbers."""

  findings: List[str]
  left_out: List[str]
  fit: Optional[_Fit]


def run(arguments: Sequence[str]) -> None:
  """Runs the command.

  Raises:
    errors.UserError: for a mistake in the options, or a data set that can't be read.
    SystemExit: with the code 1, if the data do not fit the environment, or a file is damaged.
  """
  options = parsing.parse(_DataOptions, arguments, 'tfacme data')
  if options.env is None and options.environment.changed:
    raise errors.UserError('tfacme data needs the id of the environment (--env ID) for options of it.')
  if options.data.shares:
    raise errors.UserError('tfacme data looks at one data set, which has no share: leave --dataset.shares out.')
  if options.plot is not None:
    plotting.check_name(options.plot)
  if options.recover:
    recovered = datasets.recover(options.dataset)
    if not options.json:
      print(f'Taken in: {errors.counted(recovered, "episode")}.')
  data = datasets.named([options.dataset], options.data)
  if sys.stderr.isatty():  # What a program reads of this command is its result alone.
    running.announce(sys.stderr)
  environment = None if options.env is None else _environment(options.env, options.environment)
  if options.verify and not _verify(data, options.json):
    raise SystemExit(1)
  metadata, look = datasets.MetadataSummary(), data.look(environment and environment.spec.actions)
  summary = summary_lib.summarize(_episodes(data, metadata, look))
  fit = None if environment is None else _fit(data, summary, look, environment)
  told = _Told(
    [*summary_lib.findings(summary, options.data.ends != 'auto'), *look.findings()], _left_out(data, summary), fit
  )
  if options.json:
    print(json_lib.dumps({**_plain(options, summary, told), 'metadata': metadata.plain()}))
  else:
    _show(options, summary, metadata, told)
  if options.plot is not None:
    plotting_data.picture(summary, options.plot, options.dataset)
    if not options.json:
      print(f'\nThe picture is in {options.plot}')
  if fit is not None and not fit.fits:
    raise SystemExit(1)


def _episodes(data: Any, metadata: datasets.MetadataSummary, look: Any) -> Iterator[core.Step]:
  """The episodes of a data set, of which is noted what their metadata are, and their values."""
  for one in data.recorded(look):
    metadata.add(one.metadata)
    yield one.steps


def _verify(data: Any, json: bool) -> bool:
  """Says of each file that is damaged what is wrong with it; whether none is."""
  damaged = datasets.damages(data)
  if damaged and json:
    print(json_lib.dumps({'damaged': damaged}))
  elif damaged:
    print(*damaged, sep='\n')
  elif not json:
    print('All checksums are right.')
  return not damaged


def _environment(env: str, options: environments.Options) -> _Environment:
  factory = environments.factory(env, options)
  return _Environment(factory, specs.read_spec(factory, seed=0))


def _left_out(data: Any, summary: summary_lib.Summary) -> List[str]:
  """What of a data set is not read, in words."""
  empty = data.size - summary.episodes
  left = [f'{errors.counted(count, "episode")} in {path}' for path, count in datasets.left_open(data.folder).items()]
  return [*data.left_out, *left, *([f'episodes that have no transition, {empty:,} of {data.size:,}'] if empty else [])]


def _fit(data: Any, summary: summary_lib.Summary, look: Any, environment: _Environment) -> _Fit:
  """Whether the data fit the environment, and how."""
  bounds = summary_lib.against(summary, environment.spec)
  with _heard() as said:
    try:
      datasets.fit(data, *environment, rewards=not data.lacks, look=look)
    except errors.UserError as error:
      return _Fit(False, [*said, str(error)], bounds)
  more = [f'Its steps do not say the {name}: it is for agents that need none, such as bc.' for name in data.lacks]
  return _Fit(True, [*said, *more], bounds)


@contextlib.contextmanager
def _heard() -> Iterator[List[str]]:
  """The lines that tfacme logs meanwhile, instead of where they go otherwise."""
  lines: List[str] = []
  log, listener = logging.getLogger('tfacme'), logging.Handler()
  listener.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
  handlers, propagate = log.handlers, log.propagate
  log.handlers, log.propagate = [listener], False
  try:
    yield lines
  finally:
    log.handlers, log.propagate = handlers, propagate


def _show(options: _DataOptions, summary: summary_lib.Summary, metadata: datasets.MetadataSummary, told: _Told) -> None:
  """Prints all of it."""
  terminated = int(summary.terminated.sum())
  print(
    f'{errors.counted(summary.episodes, "episode")}, {errors.counted(summary.steps, "step")}: '
    f'{terminated:,} terminated, {summary.episodes - terminated:,} truncated'
  )
  for name, values in (('return', summary.returns), ('length', summary.lengths)):
    print(f'{name} {_spread(values)}')
  print('\nreturns')
  _print_bars(summary.returns)
  print()
  fit = told.fit
  _print_table([_HEAD[: len(_HEAD) - (fit is None)], *_rows(summary, fit)])
  words = [(name, words) for name, words in metadata.words().items() if name not in _SHOWN]
  if words:
    print('\nmetadata of the episodes')
    _print_table(words)
  lines = [f'Look at: {line}' for line in told.findings]
  lines += [f'Not read: {line}.' for line in told.left_out]
  if fit is not None:
    verdict = 'does not fit' if not fit.fits else 'fits' if fit.how else 'fits as it is'
    lines += [f'In {options.env} it {verdict}{":" if fit.how else "."}', *fit.how]
  if lines:
    print('', *lines, sep='\n')


_SHOWN = ('return', 'length')  # which are shown for all data
_HEAD = ('field', 'type', 'from', 'to', 'mean', 'deviation', 'in the environment')


def _rows(summary: summary_lib.Summary, fit: Optional[_Fit]) -> Iterator[Sequence[str]]:
  for name, field in summary.fields.items():
    numbers = (field.least, field.largest, field.mean, field.deviation)
    row = (name, f'{field.dtype} {list(field.shape)}', *(f'{number:.4g}' for number in numbers))
    yield row if fit is None else (*row, fit.bounds.get(name, ''))


def _spread(values: np.ndarray) -> str:
  return (
    f'{rounding.with_error(values.mean(), values.std())} (mean and standard deviation), median '
    f'{rounding.number(np.median(values))}, from {rounding.number(values.min())} to {rounding.number(values.max())}'
  )


def _print_bars(values: np.ndarray) -> None:
  """Prints a histogram, a line for each part of the range."""
  parts = summary_lib.histogram(values)
  most = max((count for _, _, count in parts), default=0)
  bars = ('█' * math.ceil(_BAR * count / most) for _, _, count in parts)
  rows = [(*map(rounding.number, part[:2]), f'{part[2]:,}', bar) for part, bar in zip(parts, bars)]
  _print_table(rows, right=3)


def _print_table(rows: Sequence[Sequence[str]], right: int = 0) -> None:
  """Prints columns, the first of them flush right."""
  widths = [max(map(len, column)) for column in zip(*rows)]
  for row in rows:
    cells = (cell.rjust(width) if i < right else cell.ljust(width) for i, (cell, width) in enumerate(zip(row, widths)))
    print(f'  {"  ".join(cells)}'.rstrip())


def _plain(options: _DataOptions, summary: summary_lib.Summary, told: _Told) -> Dict[str, Any]:
  """All of it as JSON has it."""
  terminated = int(summary.terminated.sum())
  plain: Dict[str, Any] = {
    'dataset': options.dataset,
    'episodes': summary.episodes,
    'steps': summary.steps,
    'terminated': terminated,
    'truncated': summary.episodes - terminated,
    'cut': summary.cut,
    'return': _numbers(summary.returns),
    'length': _numbers(summary.lengths),
    'histogram': [list(part) for part in summary_lib.histogram(summary.returns)],
    'fields': {name: _field(field) for name, field in summary.fields.items()},
    'findings': told.findings,
    'left_out': told.left_out,
  }
  if told.fit is not None:
    plain['environment'] = {'id': options.env, **told.fit._asdict()}
  return plain


def _field(field: summary_lib.Field) -> Dict[str, Any]:
  numbers = {name: _number(getattr(field, name)) for name in ('least', 'largest', 'mean', 'deviation')}
  strange = {'strange_rows': field.strange_rows, 'strange_episodes': field.strange_episodes}
  return {'type': field.dtype.name, 'shape': list(field.shape), **numbers, **strange}


def _numbers(values: np.ndarray) -> Dict[str, Optional[float]]:
  named = {'mean': np.mean, 'deviation': np.std, 'median': np.median, 'minimum': np.min, 'maximum': np.max}
  return {name: _number(float(function(values))) for name, function in named.items()}


def _number(value: float) -> Optional[float]:
  """A number as JSON has it, which knows no NaN."""
  return value if math.isfinite(value) else None
