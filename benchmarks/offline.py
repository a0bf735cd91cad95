"""Offline agents on data sets: runs each agent on each data set for several seeds, and makes tables and plots of them.

    python -m benchmarks.offline_data --data /data/offline
    python -m benchmarks.offline --data /data/offline --agents bc td3_bc iql --seeds 0 1 2

An agent has the settings of its page `offline/FOLDER/AGENT_TASK.py`, or its defaults where it has no page. What is told
of a run is how its final policy plays, never a better one of before; all policies begin with the same initial states.
Runs whose results are there, with the settings of today, are not made again, so that the script goes on where it was
stopped. In the results:

- `runs/TASK/DATA/AGENT-seedN.json`: each run, with the returns from all initial states and the curve of its
  evaluations; `AGENT-stepsM-seedN.json` where its learning steps are others than those of its page
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
from benchmarks import offline_data, offline_tables
from tfacme import datasets, environments, errors, loggers, observers
from tfacme.agents import registry
from tfacme.runs import describing

_STEPS = 20_000  # of a run of an agent without a page
_EVALUATIONS = 10  # of each run, for its curve
_COLUMNS: List[str] = ['task', 'data', 'agent', 'seed', 'learner_steps', 'return', 'score']


@dataclasses.dataclass(frozen=True)
class Options:
  """What is run.

  Attributes:
    data: the folder of the data, as `offline_data.py` makes it.
    out: the folder of the results.
    tasks: their names; all of which there are data in the folder if none are given.
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
  """One run, of so many learning steps; None where they are those of its agent's page."""

  task: str
  data: str
  agent: str
  seed: int
  steps: Optional[int] = None

  @classmethod
  def of(cls, task: str, data: str, agent: str, seed: int, steps: Optional[int]) -> Job:
    """The run of so many steps, which may be those of the page."""
    return cls(task, data, agent, seed, None if steps == _page_steps(agent, task) else steps)

  @property
  def label(self) -> str:
    """What the runs of all seeds are called in tables."""
    return self.agent if self.steps is None else f'{self.agent} ({self.steps:,} steps)'

  def path(self, out: str) -> pathlib.Path:
    """Where its results are, apart from those of other steps."""
    steps = '' if self.steps is None else f'-steps{self.steps}'
    return pathlib.Path(out) / 'runs' / self.task / self.data / f'{self.agent}{steps}-seed{self.seed}.json'

  def __str__(self) -> str:
    return f'{self.task} {self.data} {self.path("").stem}'


def jobs(options: Options, made: Dict[str, Any]) -> List[Job]:
  """All runs: seed by seed, so that there is something to see of all agents early."""
  found = []
  tasks = _tasks(options, made)
  for seed in options.seeds:
    for task in tasks:
      for agent in options.agents or _agents(task):
        registry.about(agent)  # Says so if there is none.
        found += [Job.of(task, kind, agent, seed, options.steps) for kind in options.kinds]
  return found


def _tasks(options: Options, made: Dict[str, Any]) -> Sequence[str]:
  """Those that were asked for, or all of which there are data; it says which there are none of."""
  there = [task for task in made if os.path.isdir(os.path.join(options.data, task))]
  for task in options.tasks:
    if task not in there:
      raise errors.UserError(f'There are no data of {task!r} in {options.data}: benchmarks/offline_data.py makes them.')
  missing = [task for task in made if task not in there]
  if missing and not options.tasks:
    print(f'Left out, for lack of data in {options.data}: {", ".join(missing)}.', flush=True)
  return options.tasks or there


def _page(agent: str, task: str) -> Optional[str]:
  return next(iter(glob.glob(str(offline_data.ROOT / 'offline' / '*' / f'{agent}_{task}.py'))), None)


@functools.cache
def _page_steps(agent: str, task: str) -> int:
  """The learning steps of a run for which none are given."""
  page = _page(agent, task)
  return runpy.run_path(page)['experiment']().budget.steps if page else _STEPS


def _agents(task: str) -> List[str]:
  return [agent for agent in registry.names() if _page(agent, task)]


def _experiment(job: Job, told: Dict[str, Any], options: Options) -> tfacme.Experiment:
  """The agent's experiment with the data, a few evaluations for a curve, and nothing else."""
  page, steps = _page(job.agent, job.task), [] if job.steps is None else [job.steps]
  if page:
    experiment = runpy.run_path(page)['experiment'](job.seed, *steps)
  else:
    experiment = tfacme.Experiment(
      builder=registry.builder(job.agent, registry.config(job.agent)),
      networks=registry.default_networks(job.agent),
      environment=environments.factory(told['environment'], **told.get('settings', {})),
      budget=tfacme.Budget(learner_steps=job.steps or _STEPS),
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
    **{name: value for name, value in job._asdict().items() if name != 'steps'},
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
  score = offline_tables.score(result['return'], told)
  print(f'{job}: score {score:.1f} in {result["seconds"]:.0f} s', flush=True)


def results(out: str, say: bool = True) -> List[Dict[str, Any]]:
  """All runs in a folder of results that are of its data and of the settings of today, in a fixed order.

  Args:
    out: the folder.
    say: print which are left out.
  """
  made, found = offline_data.read(out), []
  for path in sorted((pathlib.Path(out) / 'runs').glob('*/*/*.json')):
    run = json.loads(path.read_text(encoding='utf-8'))
    job = Job.of(*(run[name] for name in (*Job._fields[:-1], 'learner_steps')))
    told = made[job.task]
    if path == job.path(out) and _is_of(_experiment(job, told, Options('', out)), run, told):
      found.append({**run, 'label': job.label, 'score': offline_tables.score(run['return'], told)})
    elif say:
      print(f'{path} is left out: it is of other data, or of other settings than those of today.', file=sys.stderr)
  kinds, names = offline_data.KINDS, ('agent', 'learner_steps', 'seed')
  return sorted(found, key=lambda run: (run['task'], kinds.index(run['data']), *(run[name] for name in names)))


def report(out: str, say: bool = True) -> None:
  """Makes table, plots and list of scores of all runs of today's settings; see `results`."""
  made, found = offline_data.read(out), results(out, say)
  with open(os.path.join(out, 'scores.csv'), 'w', newline='', encoding='utf-8') as file:
    writer = csv.DictWriter(file, _COLUMNS, extrasaction='ignore', lineterminator='\n')
    writer.writeheader()
    writer.writerows({**run, 'return': round(run['return'], 3), 'score': round(run['score'], 2)} for run in found)
  tasks = list(dict.fromkeys(run['task'] for run in found))
  pages = [offline_tables.table(task, made[task], [run for run in found if run['task'] == task]) for task in tasks]
  head = (
    '# Offline agents\n\nMade by `benchmarks/offline.py`, of data that `benchmarks/offline_data.py` has made. '
    'Settings are those of the pages of `offline/`, of which some were chosen by runs of seed 0 on these data; a row '
    'that names learning steps is of so many, where its page has others.\n'
  )
  (pathlib.Path(out) / 'README.md').write_text('\n'.join([head, *pages]), encoding='utf-8')
  for task in tasks:
    own = [run for run in found if run['task'] == task]
    offline_tables.plot(task, made[task], own, os.path.join(out, f'{task}.png'))


def main(options: Options) -> int:
  """Makes the runs that are not there yet, and the report of all; how many failed, which do not hold up the others."""
  made = offline_data.read(options.out)
  root = options.workdir or tempfile.mkdtemp(prefix='offline-')
  todo = [job for job in jobs(options, made) if not is_there(job, made[job.task], options)]
  failed = 0
  with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
    started = {
      pool.submit(_run_apart, job, made[job.task], options, os.path.join(root, str(job).replace(' ', '-'))): job
      for job in todo
    }
    for one in concurrent.futures.as_completed(started):
      if one.exception() is None:
        report(options.out, say=False)  # It is said once, at the end.
      else:
        failed += 1
        print(f'{started[one]} failed: {one.exception()}', file=sys.stderr, flush=True)
  report(options.out)
  return failed


if __name__ == '__main__':
  sys.exit(min(1, main(tyro.cli(Options, description=__doc__))))
