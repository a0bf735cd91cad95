"""Offline agents on data sets: runs each agent on each data set for several seeds, and makes tables and plots of them.

    python -m benchmarks.offline_data --data /data/offline
    python -m benchmarks.offline --data /data/offline --agents bc td3_bc iql --seeds 0 1 2

An agent has the settings of its page `offline/FOLDER/AGENT_TASK.py`, or its defaults where it has no page. What is told
of a run is how its final policy plays, never a better one of before; all policies begin with the same initial states.
Runs whose results are there, with the settings of today, are not made again, so that the script goes on where it was
stopped. In the results:

- `runs/TASK/DATA/AGENT-seedN.json`: each run, with the returns from all initial states and the curve of its evaluations
- `scores.csv`: the score of each run, where random actions have 0 and the end of the teacher's run has 100
- `README.md`: for each task the mean score of each agent, and how far it is above others, state by state
- `TASK.png`: all scores
"""

from __future__ import annotations

import concurrent.futures
import csv
import dataclasses
import functools
import glob
import hashlib
import json
import math
import multiprocessing
import os
import pathlib
import runpy
import sys
import tempfile
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import tyro

import tfacme
from benchmarks import offline_data
from tfacme import datasets, environments, errors, loggers, observers
from tfacme.agents import registry
from tfacme.runs import describing
from tfacme.workers import observing, plotting

_STEPS = 20_000  # of a run of an agent without a page
_EVALUATIONS = 10  # of each run, for its curve
_COLUMNS: List[str] = ['task', 'data', 'agent', 'seed', 'learner_steps', 'return', 'score']


@dataclasses.dataclass(frozen=True)
class Options:
  """What is run.

  Attributes:
    data: the folder of the data, as `offline_data.py` makes it.
    out: the folder of the results.
    tasks: their names; all of which there are data if none are given.
    kinds: of data.
    agents: by their names; those that have a page for the task if none are given.
    seeds: one run of each agent on each data set for each.
    steps: learning steps of each run; None is those of the page.
    jobs: how many runs at a time.
    workdir: where the runs go; None is a temporary folder.
  """

  data: str
  out: str = offline_data.RESULTS
  tasks: Tuple[str, ...] = ()
  kinds: Tuple[str, ...] = ('medium-replay', 'medium', 'expert')
  agents: Tuple[str, ...] = ()
  seeds: Tuple[int, ...] = (0, 1, 2)
  steps: Optional[int] = None
  jobs: int = 1
  workdir: Optional[str] = None


class Job(NamedTuple):
  """One run."""

  task: str
  data: str
  agent: str
  seed: int

  def path(self, out: str) -> pathlib.Path:
    """Where its results are."""
    return pathlib.Path(out) / 'runs' / self.task / self.data / f'{self.agent}-seed{self.seed}.json'


def jobs(options: Options, made: Dict[str, Any]) -> List[Job]:
  """All runs: seed by seed, so that there is something to see of all agents early."""
  found = []
  for seed in options.seeds:
    for task in options.tasks or tuple(made):
      if task not in made:
        raise errors.UserError(f'There are no data of {task!r}: benchmarks/offline_data.py makes them.')
      for agent in options.agents or _agents(task):
        registry.about(agent)  # Says so if there is none.
        found += [Job(task, kind, agent, seed) for kind in options.kinds]
  return found


def _page(agent: str, task: str) -> Optional[str]:
  return next(iter(glob.glob(str(offline_data.ROOT / 'offline' / '*' / f'{agent}_{task}.py'))), None)


def _agents(task: str) -> List[str]:
  return [agent for agent in registry.names() if _page(agent, task)]


def _experiment(job: Job, told: Dict[str, Any], options: Options) -> tfacme.Experiment:
  """The agent's experiment with the data, a few evaluations for a curve, and nothing else."""
  page, steps = _page(job.agent, job.task), [options.steps] if options.steps else []
  if page:
    experiment = runpy.run_path(page)['experiment'](job.seed, *steps)
  else:
    experiment = tfacme.Experiment(
      builder=registry.builder(job.agent, registry.config(job.agent)),
      networks=registry.default_networks(job.agent),
      environment=environments.factory(told['environment']),
      budget=tfacme.Budget(learner_steps=options.steps or _STEPS),
      seed=job.seed,
    )
  scored = functools.partial(observers.NormalizedScore, random=told['random'], expert=told['expert'])
  return dataclasses.replace(
    experiment,
    dataset=datasets.rlds(os.path.join(options.data, job.task, job.data)),
    evaluation=tfacme.Evaluation(every=max(1, experiment.budget.steps // _EVALUATIONS), episodes=10),
    checkpointing=tfacme.Checkpointing(every=0, best=False),
    loggers=(),
    observers=(*experiment.observers, scored),
    name=job.agent,
  )


def _settings(experiment: tfacme.Experiment) -> Dict[str, Any]:
  """What a result depends on, beside data and seed, as it is told with it."""
  description = describing.describe(experiment, 'inline')
  told = {name: description[name] for name in ('config', 'builder', 'networks')}
  return {'learner_steps': experiment.budget.steps, **told}


def is_there(job: Job, told: Dict[str, Any], options: Options) -> bool:
  """Whether there is a result of a run on these data with the settings of today."""
  if not job.path(options.out).exists():
    return False
  result = json.loads(job.path(options.out).read_text())
  return _is_of(_experiment(job, told, options), result, told)


def _is_of(experiment: tfacme.Experiment, result: Dict[str, Any], told: Dict[str, Any]) -> bool:
  """Whether a result is of an experiment; options that were not there then have to have their defaults now."""
  builder: Any = experiment.builder
  plain = dataclasses.replace(experiment, builder=dataclasses.replace(builder, config=type(builder.config)()))
  config = {**_settings(plain)['config'], **result['config']}
  settings = {**_settings(experiment), 'made_of': _made_of(told)}
  return all({**result, 'config': config}[name] == value for name, value in settings.items())


def _made_of(told: Dict[str, Any]) -> str:
  """What tells the data of a task from others, by what `datasets.json` says of them."""
  return hashlib.sha256(json.dumps(told, sort_keys=True).encode('utf-8')).hexdigest()[:16]


def run(job: Job, told: Dict[str, Any], options: Options, workdir: str) -> Dict[str, Any]:
  """Makes one run, and writes its results."""
  experiment = _experiment(job, told, options)
  begun = time.monotonic()
  trained = tfacme.train(experiment, workdir, progress=False)
  seconds = time.monotonic() - begun
  states = len(told['expert_returns'])
  played = offline_data.returns(trained.policy().act, experiment.environment, states)
  rows = loggers.read(os.path.join(workdir, 'logs', 'evaluator.csv'))
  mean = float(np.mean(played))
  result = {
    **job._asdict(),
    **_settings(experiment),
    'made_of': _made_of(told),
    'return': mean,
    'seconds': round(seconds, 1),
    'curve': [[int(row['learner_steps']), round(float(row['normalized_score']), 2)] for row in rows],
    'returns': [round(value, 3) for value in played],
  }
  job.path(options.out).parent.mkdir(parents=True, exist_ok=True)
  job.path(options.out).write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
  return result


def _run_apart(job: Job, told: Dict[str, Any], options: Options, workdir: str) -> None:
  """The same in a process of its own, since TensorFlow keeps all that it has ever compiled."""
  context = multiprocessing.get_context('spawn')
  with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as alone:
    result = alone.submit(run, job, told, options, workdir).result()
  score = _score(result['return'], told)
  print(f'{" ".join(map(str, job))}: score {score:.1f} in {result["seconds"]:.0f} s', flush=True)


def _score(value: float, told: Dict[str, Any]) -> float:
  return 100.0 * (value - told['random']) / (told['expert'] - told['random'])


def results(out: str, say: bool = True) -> List[Dict[str, Any]]:
  """All runs in a folder of results that are of its data and of the settings of today, in a fixed order.

  Args:
    out: the folder.
    say: print which are left out.
  """
  made, found = offline_data.read(out), []
  for path in sorted((pathlib.Path(out) / 'runs').glob('*/*/*.json')):
    run = json.loads(path.read_text(encoding='utf-8'))
    job, told = Job(*(run[name] for name in Job._fields)), made[run['task']]
    if _is_of(_experiment(job, told, Options('', out, steps=run['learner_steps'])), run, told):
      found.append({**run, 'score': _score(run['return'], told)})
    elif say:
      print(f'{path} is left out: it is of other data, or of other settings than those of today.', file=sys.stderr)
  return sorted(found, key=lambda run: (run['task'], offline_data.KINDS.index(run['data']), run['agent'], run['seed']))


def report(out: str, say: bool = True) -> None:
  """Makes table, plots and list of scores of all runs of today's settings; see `results`."""
  made, found = offline_data.read(out), results(out, say)
  with open(os.path.join(out, 'scores.csv'), 'w', newline='', encoding='utf-8') as file:
    writer = csv.DictWriter(file, _COLUMNS, extrasaction='ignore', lineterminator='\n')
    writer.writeheader()
    writer.writerows({**run, 'return': round(run['return'], 3), 'score': round(run['score'], 2)} for run in found)
  tasks = list(dict.fromkeys(run['task'] for run in found))
  pages = [_table(task, made[task], [run for run in found if run['task'] == task]) for task in tasks]
  head = (
    '# Offline agents\n\nMade by `benchmarks/offline.py`, of data that `benchmarks/offline_data.py` has made. '
    'Settings are those of the pages of `offline/`, of which some were chosen by runs of seed 0 on these data.\n'
  )
  (pathlib.Path(out) / 'README.md').write_text('\n'.join([head, *pages]), encoding='utf-8')
  for task in tasks:
    _plot(task, made[task], [run for run in found if run['task'] == task], os.path.join(out, f'{task}.png'))


def _grouped(found: Sequence[Dict[str, Any]]) -> Dict[Tuple[str, str], List[Dict[str, Any]]]:
  """{(agent, data): the runs of all seeds}."""
  groups: Dict[Tuple[str, str], List[Dict[str, Any]]] = {}
  for one in found:
    groups.setdefault((one['agent'], one['data']), []).append(one)
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


def _table(task: str, told: Dict[str, Any], found: Sequence[Dict[str, Any]]) -> str:
  """Mean scores, and differences to behaviour cloning and to the policy that made the data."""
  groups = _grouped(found)
  kinds = [kind for kind in offline_data.KINDS if any(data == kind for _, data in groups)]
  agents = list(dict.fromkeys(agent for agent, _ in groups))
  seeds = len({one['seed'] for one in found})
  lines = [
    f'## {task}: {told["environment"]}',
    '',
    f'Scores: 0 is a return of {told["random"]:.1f} (random actions), 100 one of {told["expert"]:.1f} (the end of the '
    f"teacher's run). Of the final policies, with the standard error over seeds ({seeds} where nothing else is said).",
    '',
    *_head(['agent', *kinds]),
    _line('the data', [f'{_score(told["data"][kind]["return_mean"], told):.1f}' for kind in kinds]),
    *(_line(agent, [_scores(groups.get((agent, kind), []), seeds) for kind in kinds]) for agent in agents),
  ]
  for what, title in (('bc', 'BC'), ('policy', 'the policy that made the data, as it explores')):
    cells = {agent: [_above(groups, agent, kind, what, told) for kind in kinds] for agent in agents if agent != what}
    rows = [_line(agent, own) for agent, own in cells.items() if any(own)]
    if rows:
      states = len(told['expert_returns'])
      lines += ['', f'Above {title}, with the standard error over {states} initial states (and that over seeds):', '']
      lines += [*_head(['agent', *kinds]), *rows]
  return '\n'.join([*lines, '', f'![Scores on {task}]({task}.png)', ''])


def _head(names: Sequence[str]) -> List[str]:
  return [_line(names[0], names[1:]), '|---|' + '---:|' * (len(names) - 1)]


def _line(name: str, cells: Sequence[str]) -> str:
  return f'| {" | ".join([name, *cells])} |'


def _scores(runs: Sequence[Dict[str, Any]], seeds: int) -> str:
  """The mean score of runs, and of how many if they are not as many as those of others."""
  if not runs:
    return ''
  score = _with_error(*mean_and_error([one['score'] for one in runs]))
  return score if len(runs) == seeds else f'{score} (of {len(runs)})'


def _above(groups: Dict[Any, Any], agent: str, kind: str, what: str, told: Dict[str, Any]) -> str:
  """How far an agent is above BC, or above the policy that made the data, if that is known."""
  runs = groups.get((agent, kind), [])
  made_by = told['data'][kind].get('policy_returns')
  other = (
    [made_by] * len(runs) if what == 'policy' and made_by else [one['returns'] for one in groups.get((what, kind), [])]
  )
  if not runs or not other or (what != 'policy' and len(runs) != len(other)):
    return ''
  mean, over_states, over_seeds = above(runs, other, told)
  return f'{_with_error(mean, over_states)} (± {over_seeds:.1f})'.replace(' (± nan)', '')


def _with_error(mean: float, error: float) -> str:
  return f'{mean:.1f}' if math.isnan(error) else f'{mean:.1f} ± {error:.1f}'


def _plot(task: str, told: Dict[str, Any], found: Sequence[Dict[str, Any]], out: str) -> None:
  """Draws each run as a dot, with the mean and the standard error of each agent, beside the data's own score."""
  groups = _grouped(found)
  kinds = [kind for kind in offline_data.KINDS if any(data == kind for _, data in groups)]
  agents = list(dict.fromkeys(agent for agent, _ in groups))
  figure = plotting.figure_of(len(kinds))
  for axes, kind in zip(figure.axes, kinds):
    axes.axvline(_score(told['data'][kind]['return_mean'], told), color='#6b6f80', linestyle='--', label='the data')
    axes.axvline(100.0, color='#3f8f5b', linestyle=':', label='expert')
    for row, agent in enumerate(agents):
      scores = [one['score'] for one in groups.get((agent, kind), [])]
      if scores:
        mean, error = mean_and_error(scores)
        axes.plot(scores, [row] * len(scores), 'o', color='#3a6fb7', alpha=0.4, markersize=5)
        axes.errorbar(mean, row, xerr=0.0 if math.isnan(error) else error, fmt='|', color='#3a6fb7', capsize=4)
    axes.set_yticks(range(len(agents)), agents)
    axes.invert_yaxis()
    axes.set_title(f'{task}, {kind}', fontsize=11)
    axes.set_xlabel('score: random actions 0, expert 100')
    axes.legend(frameon=False, fontsize=9)
  plotting.save(figure, out)


def main(options: Options) -> int:
  """Makes the runs that are not there yet, and the report of all; how many failed, which do not hold up the others."""
  made = offline_data.read(options.out)
  root = options.workdir or tempfile.mkdtemp(prefix='offline-')
  todo = [job for job in jobs(options, made) if not is_there(job, made[job.task], options)]
  failed = 0
  with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
    started = {
      pool.submit(_run_apart, job, made[job.task], options, os.path.join(root, '-'.join(map(str, job)))): job
      for job in todo
    }
    for one in concurrent.futures.as_completed(started):
      if one.exception() is None:
        report(options.out, say=False)  # It is said once, at the end.
      else:
        failed += 1
        print(f'{" ".join(map(str, started[one]))} failed: {one.exception()}', file=sys.stderr, flush=True)
  report(options.out)
  return failed


if __name__ == '__main__':
  sys.exit(min(1, main(tyro.cli(Options, description=__doc__))))
