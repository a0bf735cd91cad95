"""How soon SAC learns Pendulum: alone, with recorded data beside its own, and from what CQL has learned of them.

    python -m benchmarks.offline_data --data /data/offline --tasks pendulum
    python -m benchmarks.online --data /data/offline

All runs have the settings of `programs/gym/sac.py` but for fewer steps, and RLPD those of its page; those that begin
with CQL's networks have their sizes and CQL's scale of rewards, and act by them at once. So that what data are worth is
told from what settings are, SAC learns alone with either of these settings too. What counts is the first
evaluation that is 90% of the way from random actions to the end of the teacher's run. Runs that are in the results,
with the settings of today, are not made again; those of other settings are, and are left out of the table until then.
In the results: `WAY-seedN.csv`, the evaluations of each run; `WAY-seedN.json`, its settings; and `README.md`, a table.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import runpy
import shutil
import tempfile
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple

import tyro

import tfacme
from benchmarks import offline_data
from tfacme import datasets, loggers
from tfacme.runs import describing

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Four learning steps with ten critics for each environment step take long: so it is given fewer of these.
_RLPD = {'page': 'programs/gym/rlpd_pendulum.py', 'steps': 2_000}
_CQL = 'offline/gym/cql_pendulum.py'
_STEPS, _EVERY, _SHARE = 6_000, 250, 0.9
_WINDOW = 1_000  # steps after that, in which it is looked at whether a run falls back: runs are not equally long
# What a result depends on, of what a run tells of itself. What is not compared: the data themselves, of which the way
# names the kind; versions of packages; and what writes down a run without changing it.
_COMPARED = (
  *('agent', 'config', 'builder', 'environment', 'networks', 'stack', 'seed', 'dataset_share', 'budget', 'layout'),
  'evaluations',
)
_FOLDERS = ('command', 'dataset', 'prefill', 'start')  # These name folders of a machine, and the way tells as well.


def _half(data: Any) -> Dict[str, Any]:
  """Half of each batch from data."""
  return {'dataset': data, 'dataset_share': 0.5}


# Each way: what of the experiment differs, made of a function from a kind of data to the data set.
_WAYS: Mapping[str, Callable[[Callable[[str], Any]], Dict[str, Any]]] = {
  'alone': lambda data: {},
  'alone-as-rlpd': lambda data: {**_RLPD, 'dataset': None, 'dataset_share': None},
  'alone-as-cql': lambda data: {'like': _CQL},
  'half-medium': lambda data: _half(data('medium')),
  'half-expert': lambda data: _half(data('expert')),
  'prefilled-medium': lambda data: {'prefill': data('medium')},
  'prefilled-expert': lambda data: {'prefill': data('expert')},
  'rlpd-medium': lambda data: {**_RLPD, 'dataset': data('medium')},
  'rlpd-expert': lambda data: {**_RLPD, 'dataset': data('expert')},
  'cql-medium': lambda data: {'like': _CQL, 'start': data('medium')},
  'cql-expert': lambda data: {'like': _CQL, 'start': data('expert')},
  'cql-half-medium': lambda data: {'like': _CQL, 'start': data('medium'), **_half(data('medium'))},
  'cql-half-expert': lambda data: {'like': _CQL, 'start': data('expert'), **_half(data('expert'))},
}


@dataclasses.dataclass(frozen=True)
class Options:
  """What is run.

  Attributes:
    data: the folder of the data, as `offline_data.py` makes it.
    out: the folder of the results.
    ways: their names; all if none are given.
    seeds: one run of each way for each.
    steps: environment steps of each run; None is as many as for the results that are there.
    offline_steps: learner steps of CQL before it.
    told: what `offline_data.py` has told of the data.
    workdir: where the runs go; None is a temporary folder.
  """

  data: str
  out: str = 'benchmarks/results/online-pendulum'
  ways: Tuple[str, ...] = tuple(_WAYS)
  seeds: Tuple[int, ...] = (0, 1, 2)
  steps: Optional[int] = None
  offline_steps: int = 20_000
  told: str = f'{offline_data.RESULTS}/{offline_data.FILE}'
  workdir: Optional[str] = None


def main(options: Options) -> None:
  """Makes what runs are not there, and the table."""
  out = pathlib.Path(options.out)
  out.mkdir(parents=True, exist_ok=True)
  workdir = options.workdir or tempfile.mkdtemp(prefix='online-')
  for seed in options.seeds:
    for way in options.ways:
      path = out / f'{way}-seed{seed}.csv'
      if not _is_there(path, options):
        run = _run(way, seed, options, os.path.join(workdir, path.stem))
        shutil.copy(os.path.join(run, 'logs', 'evaluator.csv'), path)
        # The last, so that evaluations never stand beside settings that are not theirs.
        path.with_suffix('.json').write_text(json.dumps(_settings(run, way, seed, options), indent=2) + '\n')
        print(path, flush=True)
  told = json.loads(pathlib.Path(options.told).read_text())['pendulum']
  (out / 'README.md').write_text(_table(_todays(out, options), told['random'], told['expert']))


def _todays(out: pathlib.Path, options: Options) -> Sequence[pathlib.Path]:
  """The evaluations of all runs with the settings of today; it says which others are left out."""
  found = []
  for path in sorted(out.glob('*-seed*.csv')):
    if _is_there(path, options):
      found.append(path)
    else:
      print(f'{path} is left out: it is of other settings than those of today, or does not tell them.', flush=True)
  return found


def _is_there(path: pathlib.Path, options: Options) -> bool:
  """Whether there are the evaluations of a run in a file, and the settings beside them are those of today."""
  way, _, seed = path.stem.rpartition('-seed')
  settings = path.with_suffix('.json')
  if way not in _WAYS or not seed.isdigit() or not path.exists() or not settings.exists():
    return False
  experiment, before = _experiments(way, int(seed), options)
  there = json.loads(settings.read_text())
  # Results of old do not tell of the run of CQL that they begin with; what its page was then is not compared.
  learned = before is None or 'start' not in there or _is_of(there['start'], before)
  return learned and _is_of(there, experiment)


def _is_of(there: Mapping[str, Any], experiment: Any) -> bool:
  """Whether settings are an experiment's; options that were not there then have to have their defaults now."""
  builder = dataclasses.replace(experiment.builder, config=type(experiment.builder.config)())
  plain = dataclasses.replace(experiment, builder=builder, layout=tfacme.Layout(), evaluation=tfacme.Evaluation())
  now, defaults = (describing.describe(one, 'inline') for one in (experiment, plain))
  completed = {
    **there,
    **{name: {**defaults[name], **there.get(name, {})} for name in ('config', 'layout')},
    'evaluations': [{**defaults['evaluations'][0], **one} for one in there.get('evaluations', [])],
  }
  return all(completed.get(name) == now[name] for name in _COMPARED)


def _experiments(way: str, seed: int, options: Options) -> Tuple[Any, Optional[Any]]:
  """(a run without what it starts from, the run of CQL that it starts from or None)."""
  changes = _WAYS[way](lambda kind: datasets.rlds(os.path.join(options.data, 'pendulum', kind)))
  steps = changes.pop('steps', _STEPS)
  experiment = dataclasses.replace(
    _page(changes.pop('page', 'programs/gym/sac.py'), seed),
    budget=tfacme.Budget(actor_steps=options.steps or steps),
    evaluation=tfacme.Evaluation(every=_EVERY, episodes=20),
  )
  like, data = changes.pop('like', None), changes.pop('start', None)
  if like:
    experiment = _like(experiment, _page(like, seed))
  before = None
  if data is not None:
    experiment = _configured(experiment, random_steps=0)
    budget, evaluation = tfacme.Budget(learner_steps=options.offline_steps), tfacme.Evaluation(every=0, episodes=20)
    before = dataclasses.replace(_page(like, seed), dataset=data, budget=budget, evaluation=evaluation)
  return dataclasses.replace(experiment, **changes), before


def _run(way: str, seed: int, options: Options, workdir: str) -> str:
  """The folder of a run."""
  experiment, before = _experiments(way, seed, options)
  if before is not None:  # Several ways begin with one.
    learned = os.path.join(os.path.dirname(workdir), f'cql-of-{os.path.basename(before.dataset.path)}-seed{seed}')
    experiment = dataclasses.replace(experiment, start=tfacme.train(before, learned, progress=False).workdir)
  return tfacme.train(experiment, workdir, progress=False).workdir


def _settings(run: str, way: str, seed: int, options: Options) -> Dict[str, Any]:
  """What a run was, with the settings of the one that it started from in the place of its folder."""
  description = json.loads(pathlib.Path(run, 'experiment.json').read_text())
  _, before = _experiments(way, seed, options)
  started = {} if before is None else {'start': _without_folders(describing.describe(before, 'inline'))}
  return {**_without_folders(description), **started}


def _without_folders(description: Mapping[str, Any]) -> Dict[str, Any]:
  return {name: value for name, value in description.items() if name not in _FOLDERS}


def _like(experiment: Any, page: Any) -> Any:
  """The experiment with the networks and the scale of rewards of another page."""
  scale = page.builder.config.reward_scale
  changed = _configured(experiment, reward_scale=scale, initial_temperature=scale)
  return dataclasses.replace(changed, networks=page.networks)


def _configured(experiment: Any, **config: Any) -> Any:
  """The experiment with another config."""
  builder = experiment.builder
  changed = dataclasses.replace(builder, config=dataclasses.replace(builder.config, **config))
  return dataclasses.replace(experiment, builder=changed)


def _page(path: str, seed: int) -> Any:
  """The experiment of a page."""
  return runpy.run_path(str(ROOT / path))['experiment'](seed)


def _table(paths: Sequence[pathlib.Path], random: float, expert: float) -> str:
  """What runs came to, by the files of their evaluations."""
  goal = random + _SHARE * (expert - random)
  found = {path.stem: path for path in paths}
  seeds = sorted({name.rpartition('-seed')[2] for name in found})
  lines = [
    f'The environment steps after which an evaluation (20 episodes) first has a return of {goal:.0f} or more, 90% of '
    f'the way from random actions ({random:.0f}) to the end of the run of the teacher ({expert:.0f}); a dash where '
    f'none has. In brackets, the returns of the first evaluation, of the worst one in the {_WINDOW:,} steps after that '
    '(or until the run ends), and of the last.',
    '',
    '| way | ' + ' | '.join(f'seed {seed}' for seed in seeds) + ' |',
    '|---' * (1 + len(seeds)) + '|',
  ]
  for way in _WAYS:
    cells = [_cell(found.get(f'{way}-seed{seed}'), goal) for seed in seeds]
    if any(cells):
      lines.append(f'| `{way}` | ' + ' | '.join(cells) + ' |')
  return '\n'.join(lines) + '\n'


def _cell(path: Optional[pathlib.Path], goal: float) -> str:
  """What a run came to; nothing of one that was not made."""
  if path is None:
    return ''
  curve = [(int(row['actor_steps']), float(row['episode_return'])) for row in loggers.read(str(path))]
  reached = next((i for i, (_, value) in enumerate(curve) if value >= goal), None)
  (_, first), (steps, last) = curve[0], curve[-1]
  if reached is None:
    return f'- ({first:.0f}; {last:.0f} after {steps:,})'
  begin = curve[reached][0]
  worst = min(value for at, value in curve[reached:] if at <= begin + _WINDOW)
  return f'{begin:,} ({first:.0f}; {worst:.0f}; {last:.0f} after {steps:,})'


if __name__ == '__main__':
  main(tyro.cli(Options))
