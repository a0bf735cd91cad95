"""The tables and plots of `offline.py`, of its runs: each a dict as in its results, with its `label` and `score`."""

from __future__ import annotations

import math
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from benchmarks import offline_data
from tfacme import errors
from tfacme.workers import observing, plotting


def score(value: float, told: Dict[str, Any]) -> float:
  """A return between that of random actions, 0, and that of the end of the teacher's run, 100."""
  return 100.0 * (value - told['random']) / (told['expert'] - told['random'])


def _grouped(found: Sequence[Dict[str, Any]]) -> Dict[Tuple[str, str], List[Dict[str, Any]]]:
  """{(label, data): the runs of all seeds}, where runs of other steps than those of their page are others."""
  groups: Dict[Tuple[str, str], List[Dict[str, Any]]] = {}
  for one in found:
    groups.setdefault((one['label'], one['data']), []).append(one)
  return groups


def mean_and_error(values: Sequence[float]) -> Tuple[float, float]:
  """The mean and its standard error; NaN of a single value."""
  return float(np.mean(values)), observing.standard_error(values)


def above(
  runs: Sequence[Dict[str, Any]], other: Sequence[Sequence[float]], told: Dict[str, Any]
) -> Tuple[float, float, float]:
  """How far runs are above others, in scores: the mean over initial states of what seeds have on average there.

  Returns:
    The mean, its standard error over initial states, and that over seeds (NaN of a single one).
  """
  scale = 100.0 / (told['expert'] - told['random'])
  mine, others = scale * np.array([one['returns'] for one in runs]), scale * np.array(other)
  mean, over_states = mean_and_error(mine.mean(axis=0) - others.mean(axis=0))
  errors_of = [mean_and_error(returns.mean(axis=1))[1] for returns in (mine, others)]
  return mean, over_states, math.hypot(*errors_of)


def table(task: str, told: Dict[str, Any], found: Sequence[Dict[str, Any]]) -> str:
  """Mean scores, and differences to behaviour cloning and to the policy that made the data."""
  groups = _grouped(found)
  kinds = [kind for kind in offline_data.KINDS if any(data == kind for _, data in groups)]
  labels = list(dict.fromkeys(label for label, _ in groups))
  seeds = len({one['seed'] for one in found})
  lines = [
    f'## {task}: {told["environment"]}{_settings(told)}',
    '',
    f'Scores: 0 is a return of {told["random"]:.1f} (random actions), 100 one of {told["expert"]:.1f} (the end of the '
    f"teacher's run). Of the final policies, with the standard error over seeds ({seeds} where nothing else is said).",
    '',
    *_head(['agent', *kinds]),
    _line('the data', [f'{score(told["data"][kind]["return_mean"], told):.1f}' for kind in kinds]),
    *(_line(label, [_scores(groups.get((label, kind), []), seeds) for kind in kinds]) for label in labels),
    '',
    _learned_from(found),
  ]
  for what, title in (('bc', 'BC'), ('policy', 'the policy that made the data, as it explores')):
    cells = [[_above(groups.get((label, kind), []), what, told, found) for kind in kinds] for label in labels]
    rows = [_line(label, own) for label, own in zip(labels, cells) if any(own)]
    if rows:
      states = len(told['expert_returns'])
      lines += ['', f'Above {title}, with the standard error over {states} initial states (and that over seeds):', '']
      lines += [*_head(['agent', *kinds]), *rows]
  return '\n'.join([*lines, '', f'![Scores on {task}]({task}.png)', ''])


def _learned_from(found: Sequence[Dict[str, Any]]) -> str:
  """How much each agent has learned from."""
  told = {
    f'{one["agent"]} {one["learner_steps"]:,} of {one["config"].get("batch_size", "the default size")}': None
    for one in sorted(found, key=lambda one: (one['agent'], one['learner_steps']))
  }
  return f'Learning steps and batch size: {"; ".join(told)}.'


def _settings(told: Dict[str, Any]) -> str:
  """What the environment is made with: ' with action_repeat 4'."""
  settings = told.get('settings', {})
  return f' with {errors.listed([f"{name} {value}" for name, value in settings.items()])}' if settings else ''


def _head(names: Sequence[str]) -> List[str]:
  return [_line(names[0], names[1:]), '|---|' + '---:|' * (len(names) - 1)]


def _line(name: str, cells: Sequence[str]) -> str:
  return f'| {" | ".join([name, *cells])} |'


def _scores(runs: Sequence[Dict[str, Any]], seeds: int) -> str:
  """The mean score of runs, and of how many if they are not as many as those of others."""
  if not runs:
    return ''
  told = _with_error(*mean_and_error([one['score'] for one in runs]))
  return told if len(runs) == seeds else f'{told} (of {len(runs)})'


def _above(runs: Sequence[Any], what: str, told: Dict[str, Any], found: Sequence[Any]) -> str:
  """How far an agent's runs are above BC, or above the policy that made the data, if that is known."""
  if not runs or runs[0]['agent'] == what:
    return ''
  made_by = told['data'][runs[0]['data']].get('policy_returns')
  if what == 'policy':
    other = [made_by] * len(runs) if made_by else []
  else:
    other = [one['returns'] for one in _cloned(runs[0], found)]
  if len(runs) != len(other):
    return ''
  mean, over_states, over_seeds = above(runs, other, told)
  return f'{_with_error(mean, over_states)} (± {over_seeds:.1f})'.replace(' (± nan)', '')


def _cloned(run: Dict[str, Any], found: Sequence[Dict[str, Any]]) -> List[Dict[str, Any]]:
  """The runs of BC beside one of another agent: by its page, or of as many steps where that one is not by its own."""
  by_page = lambda one: one['label'] == one['agent']
  alike = by_page if by_page(run) else lambda one: one['learner_steps'] == run['learner_steps']
  return [one for one in found if (one['agent'], one['data']) == ('bc', run['data']) and alike(one)]


def _with_error(mean: float, error: float) -> str:
  return f'{mean:.1f}' if math.isnan(error) else f'{mean:.1f} ± {error:.1f}'


def plot(task: str, told: Dict[str, Any], found: Sequence[Dict[str, Any]], out: str) -> None:
  """Draws each run as a dot, with the mean and the standard error of each agent, beside the data's own score."""
  groups = _grouped(found)
  kinds = [kind for kind in offline_data.KINDS if any(data == kind for _, data in groups)]
  labels = list(dict.fromkeys(label for label, _ in groups))
  figure = plotting.figure_of(len(kinds))
  for axes, kind in zip(figure.axes, kinds):
    axes.axvline(score(told['data'][kind]['return_mean'], told), color='#6b6f80', linestyle='--', label='the data')
    axes.axvline(100.0, color='#3f8f5b', linestyle=':', label='expert')
    for row, label in enumerate(labels):
      scores = [one['score'] for one in groups.get((label, kind), [])]
      if scores:
        mean, error = mean_and_error(scores)
        axes.plot(scores, [row] * len(scores), 'o', color='#3a6fb7', alpha=0.4, markersize=5)
        axes.errorbar(mean, row, xerr=0.0 if math.isnan(error) else error, fmt='|', color='#3a6fb7', capsize=4)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_title(f'{task}, {kind}', fontsize=11)
    axes.set_xlabel('score: random actions 0, expert 100')
    axes.legend(frameon=False, fontsize=9)
  plotting.save(figure, out)
