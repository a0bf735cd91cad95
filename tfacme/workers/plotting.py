"""Learning curves: the return against the steps of a run, from what runs leave behind."""

from __future__ import annotations

import glob
import hashlib
import json
import logging
import math
import os
import textwrap
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from tfacme import errors, experiments, loggers

_LOG = logging.getLogger('tfacme')
_UNITS = {'actor_steps': 'environment steps', 'learner_steps': 'learner steps'}
RETURN = 'episode_return'  # the column that is drawn unless another one is asked for
_RANGE = 3  # Of so few seeds, 95% of the resampled means are all between the lowest and the highest one.
_COLORS = ('#3a6fb7', '#c8553d', '#3f8f5b', '#8d4a9c', '#c07f1c', '#2f8890', '#6b6f80')
_NO_SETTINGS = ('agent', 'environment', 'seed')  # of a run's identity
_SPREAD = ('layout', 'launch', 'budget')
# They change nothing of what is learned.
_NOT_LEARNED = ('layout.restarts', 'layout.environment_timeout', 'layout.check_memory')
_EVALUATED = ('policy', 'environment')  # of the evaluation that is drawn
_GRID_POINTS = 200
_RESAMPLES = 2000
_SMOOTHED_EPISODES = 20
_ALIKE = 0.95  # of the steps of the longest run: one that ends before that is worth a warning
_LABEL = 72  # characters of a line of the legend, which fit into the axes


class _Curve(NamedTuple):
  """The returns of one run."""

  unit: str  # what `steps` counts: 'actor_steps' or 'learner_steps'
  steps: np.ndarray  # [n], rising
  returns: np.ndarray  # [n], or the numbers of another column
  evaluated: bool  # means of evaluations, not the returns of single episodes of the actors


class _Line(NamedTuple):
  """The runs that differ in nothing but their seed."""

  label: str  # the agent, with the settings in which it differs from the other lines
  environment: str
  runs: Sequence[str]
  seeds: int  # how many different ones


def learning_curve(runs: Sequence[str], out: str, title: Optional[str] = None, column: str = RETURN) -> None:
  """Draws the return of runs, or another column of their evaluations, against their steps.

  Runs that differ in nothing but their seed make one line, their mean, with a 95% band from resampling them
  (bootstrap); if they differ in what makes an experiment another one, in the layout, the engine, the budget, or in whom
  and where the evaluation plays, each kind has a line, named by that. A run is interpolated between evaluations, and
  the line ends where the shortest of its runs does, so that it is a mean of the same seeds everywhere; a warning says
  so. Rows without a number in the column are left out. Each environment has axes of its own. A single run is drawn
  before the returns of its actors' episodes, averaged over the last 20.

  Args:
    runs: their folders.
    out: the picture's file; the ending says which format (.png, .svg, .pdf).
    title: over the picture; None is the environment.
    column: what is drawn: one of the log of evaluations, such as `normalized_score`.

  Raises:
    errors.UserError: if a run can't be read, has no such column, or the picture can't be written.
  """
  check_name(out)
  lines = _lines(runs)
  environments = list(dict.fromkeys(line.environment for line in lines))
  labels = list(dict.fromkeys(line.label for line in lines))
  figure = figure_of(len(environments))
  for axes, environment in zip(figure.axes, environments):
    here = [line for line in lines if line.environment == environment]
    curves = {run: _read(run, column) for line in here for run in line.runs}
    unit, *others = {curve.unit for curve in curves.values()}
    if others:
      raise errors.UserError(
        f'Of the runs on {environment} some count environment steps and some learner steps; plot them apart.'
      )
    for line in here:
      color = _COLORS[labels.index(line.label) % len(_COLORS)]
      training = _training(runs[0], column) if len(runs) == 1 else None
      _draw(axes, line, [curves[run] for run in line.runs], color, training)
    _dress(axes, title or environment, unit, column)
  save(figure, out)


def _read(run: str, column: str = RETURN) -> _Curve:
  """The evaluations of a run, or its actors' episodes."""
  name = _evaluation(_description(run)).get('name', 'evaluator')
  rows = loggers.read(os.path.join(run, 'logs', f'{name}.csv'))
  curve = _curve(rows, column, evaluated=True) if rows else _training(run, column)
  if curve is not None:
    return curve
  if rows and column not in rows[0]:
    hint = f'the evaluations in {run} have {", ".join(rows[0])}.'
    raise errors.unknown('column', column, rows[0], hint)
  what = (
    f'no evaluation has a number in its column {column!r}' if rows else 'no evaluation and no episode has ended yet'
  )
  raise errors.UserError(f'There is nothing to plot in {run}: {what}.')


def _evaluation(description: Dict[str, Any]) -> Dict[str, Any]:
  """The settings of the evaluation that is drawn, the first one."""
  first, *_ = description.get('evaluations') or [{}]
  return first


def _training(run: str, column: str = RETURN) -> Optional[_Curve]:
  """The numbers of the actors' episodes, if any."""
  rows = []
  for path in sorted(glob.glob(os.path.join(run, 'logs', 'actor-*.csv'))):
    rows += loggers.read(path)
  return _curve(rows, column, evaluated=False)


def _curve(rows: Sequence[Dict[str, str]], column: str, evaluated: bool) -> Optional[_Curve]:
  """Of the rows that have a number in the column; None if none has."""
  values = np.array([_number(row.get(column, '')) for row in rows])
  rows = [row for row, value in zip(rows, values) if math.isfinite(value)]
  if not rows:
    return None
  columns = {unit: np.array([float(row.get(unit, 0)) for row in rows]) for unit in _UNITS}
  # A run from recorded data has no environment steps to be plotted against.
  unit = 'actor_steps' if columns['actor_steps'].any() else 'learner_steps'
  order = np.argsort(columns[unit], kind='stable')
  return _Curve(unit, columns[unit][order], values[np.isfinite(values)][order], evaluated)


def _number(text: str) -> float:
  """NaN, if it is none."""
  try:
    return float(text)
  except ValueError:
    return math.nan


def _description(run: str) -> Dict[str, Any]:
  path = os.path.join(run, 'experiment.json')
  try:
    with open(path, encoding='utf-8') as file:
      return json.load(file)
  except (FileNotFoundError, NotADirectoryError):
    if os.path.isdir(os.path.join(run, 'logs')):  # Of a program that Launchpad ran by itself.
      return {}
    message = f'There is no run in {run}: it has no experiment.json; give a folder of tfacme train.'
    raise errors.UserError(message) from None
  except ValueError as error:
    raise errors.UserError(f'{path} can not be read ({error}); give a folder of tfacme train.') from error


def _lines(runs: Sequence[str]) -> List[_Line]:
  """The runs in groups that differ in nothing but the seed, in the order in which they were given."""
  descriptions = {run: _description(run) for run in runs}
  settings = {run: _settings(description) for run, description in descriptions.items()}
  groups: Dict[Tuple[str, str, str], List[str]] = {}
  for run, description in descriptions.items():
    key = str(description.get('agent', 'agent')), str(description.get('environment', 'environment'))
    groups.setdefault((*key, json.dumps(settings[run], sort_keys=True)), []).append(run)
  lines = []
  for (agent, environment, _), group in groups.items():
    alike = [g[0] for (a, e, _), g in groups.items() if (a, e) == (agent, environment)]
    label = ', '.join([agent, *_what_differs(settings[group[0]], [settings[run] for run in alike])])
    seeds = {descriptions[run].get('seed', run) for run in group}
    lines.append(_Line(label, environment, group, len(seeds)))
  return lines


def _settings(description: Dict[str, Any]) -> Dict[str, str]:
  """All but the seed that makes a curve another one, flat: {'config.n_step': '5', ...}."""
  flat: Dict[str, str] = {}

  def add(name: str, value: Any) -> None:
    if isinstance(value, dict):
      for key, part in value.items():
        add(f'{name}.{key}', part)
    else:
      flat[name] = str(value)

  for name, value in experiments.identity(description).items():
    if name not in _NO_SETTINGS:
      add(name, value)
  options = description.get('network_options')
  if options is not None:  # What of them differs says more than all that the networks are made with.
    flat['networks'] = flat['networks'].partition('(')[0]
    add('networks', options)
  for name in _SPREAD:
    add(name, description.get(name))
  for name in _EVALUATED:
    add(f'evaluation.{name}', _evaluation(description).get(name))
  flat['start'] = _start(description.get('start'))
  return {name: value for name, value in flat.items() if name not in _NOT_LEARNED}


def _start(run: Optional[str]) -> str:
  """What a run began with: the same for all seeds of another experiment, if that can be found from here."""
  if run is None or not os.path.exists(os.path.join(run, 'experiment.json')):
    return str(run)
  description = _description(run)
  settings = json.dumps([_settings(description), description.get('environment')], sort_keys=True)
  return f'{description.get("agent", "agent")}#{hashlib.blake2b(settings.encode(), digest_size=3).hexdigest()}'


def _what_differs(mine: Dict[str, str], every: Sequence[Dict[str, str]]) -> List[str]:
  """The settings of which there are several among `every`, as they are in `mine`."""
  names = [name for name in mine if len({settings.get(name) for settings in every}) > 1]
  return [f'{name.rpartition(".")[2]} {mine[name]}' for name in names]


def _common(curves: Sequence[_Curve], where: str) -> Tuple[np.ndarray, np.ndarray]:
  """Curves at the same steps [n]: (steps, returns [curves, n])."""
  start = max(curve.steps[0] for curve in curves)
  end = min(curve.steps[-1] for curve in curves)
  if start > end:
    raise errors.UserError(f'The runs of {where} have no steps in common; plot them one by one, or resume them.')
  longest = max(curve.steps[-1] for curve in curves)
  if end < _ALIKE * longest:
    _LOG.warning(
      'The line of %s ends at %s steps with the shortest of its runs; the longest has %s.',
      where,
      f'{end:,.0f}',
      f'{longest:,.0f}',
    )
  inside = [curve.steps[(curve.steps >= start) & (curve.steps <= end)] for curve in curves]
  steps = np.unique(np.concatenate([*inside, [start, end]]))
  if len(steps) > _GRID_POINTS:
    steps = np.linspace(start, end, _GRID_POINTS)
  return steps, np.stack([np.interp(steps, curve.steps, curve.returns) for curve in curves])


def _band(returns: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
  """The 95% interval of the mean over seeds [seeds, n], by resampling the seeds: (low [n], high [n])."""
  seeds = len(returns)
  # The weights of the seeds in each resampling, so that no copy of the returns is made for any of them.
  weights = np.random.default_rng(0).multinomial(seeds, np.full(seeds, 1 / seeds), size=_RESAMPLES) / seeds
  low, high = np.percentile(weights @ returns, [2.5, 97.5], axis=0)
  return low, high


def _smooth(curve: _Curve) -> _Curve:
  """Means over the last episodes, for a curve of single ones, which is all noise."""
  if curve.evaluated:
    return curve
  sums = np.cumsum(np.concatenate([[0.0], curve.returns]))
  ends = np.arange(1, len(sums))
  starts = np.maximum(0, ends - _SMOOTHED_EPISODES)
  return curve._replace(returns=(sums[ends] - sums[starts]) / (ends - starts))


def _draw(axes: Any, line: _Line, curves: Sequence[_Curve], color: str, training: Optional[_Curve]) -> None:
  """Draws one line, over the episodes of its actors if there are any."""
  if training is not None and training.unit == curves[0].unit and curves[0].evaluated:
    # Smoothed: single returns of a game that is won or lost are two bars at the top and the bottom.
    label = f'{line.label}, mean of {_SMOOTHED_EPISODES} training episodes'
    axes.plot(training.steps, _smooth(training).returns, color=color, alpha=0.3, linewidth=1.0, label=label)
  steps, returns = _common([_smooth(curve) for curve in curves], f'{line.label} on {line.environment}')
  what = 'evaluations' if curves[0].evaluated else f'mean of {_SMOOTHED_EPISODES} training episodes'
  label = f'{line.label}, {what}'
  if len(curves) > 1:
    band = '95% band' if len(curves) > _RANGE else 'range'
    label += f', {len(curves)} {"seeds" if line.seeds == len(curves) else "runs"} (mean, {band})'
    axes.fill_between(steps, *_band(returns), color=color, alpha=0.2, linewidth=0)
  marker = 'o' if len(steps) <= 30 else ''
  axes.plot(steps, returns.mean(axis=0), color=color, linewidth=1.8, marker=marker, markersize=3.5, label=label)


def figure_of(panels: int) -> Any:
  """A figure with axes side by side, three in a row."""
  # Without pyplot there is no global state and no search for a display: Figure draws by Agg, on any thread.
  from matplotlib import figure

  columns = min(panels, 3)
  rows = -(-panels // columns)
  result = figure.Figure(figsize=(6.4 * columns, 4.2 * rows), layout='constrained')
  for index in range(panels):
    result.add_subplot(rows, columns, index + 1)
  return result


def _dress(axes: Any, title: str, unit: str, column: str = RETURN) -> None:
  """Labels axes and makes them plain."""
  from matplotlib import ticker

  axes.set_title(title, fontsize=11)
  axes.set_xlabel(_UNITS[unit])
  axes.set_ylabel('episode return (sum of rewards)' if column == RETURN else column.replace('_', ' '))
  axes.xaxis.set_major_locator(ticker.MaxNLocator(nbins=6))
  axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f'{value:,.0f}'))
  axes.set_xlim(left=0)
  axes.margins(y=0.08)
  axes.grid(True, color='#dddddd', linewidth=0.7)
  axes.set_axisbelow(True)
  for side in ('top', 'right'):
    axes.spines[side].set_visible(False)
  handles, labels = axes.get_legend_handles_labels()
  axes.legend(handles, [textwrap.fill(label, _LABEL) for label in labels], frameon=False, fontsize=9)


def save(figure: Any, out: str) -> None:
  """Writes a figure as the picture that the ending of its name says.

  Raises:
    UserError: if it says none, or the file can't be written.
  """
  check_name(out)
  with errors.writing_file('The picture', out):
    figure.savefig(out, dpi=150)


def check_name(out: str) -> None:
  """Raises a `UserError` if the ending of a picture's name is no format of pictures."""
  from matplotlib import backend_bases

  ending = os.path.splitext(out)[1].lstrip('.').lower()
  if ending not in backend_bases.FigureCanvasBase.filetypes:
    says = f'the ending {ending!r}, which is no format of pictures' if ending else 'no ending that says which format'
    raise errors.UserError(f'The name of the picture, {out}, has {says}: give one with .png, .svg or .pdf.')
