"""How soon SAC learns Pendulum: alone, with recorded data beside its own, and from what CQL has learned of them.

    python -m benchmarks.offline_data --data /data/offline --tasks pendulum
    python -m benchmarks.online --data /data/offline

All runs have the settings of `programs/gym/sac.py` but for fewer steps, and RLPD those of its page; those that begin
with CQL's networks have their sizes and CQL's scale of rewards, and act by them at once. So that what data are worth is
told from what settings are, SAC learns alone with either of these settings too. What counts is the first
evaluation that is 90% of the way from random actions to the end of the teacher's run. Runs whose evaluations are in the
results are not made again. In the results: `WAY-seedN.csv`, the evaluations of each run; `WAY-seedN.json`, its
settings; and `README.md`, a table.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import runpy
import shutil
import tempfile
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

import tyro

import tfacme
from benchmarks import offline_data
from tfacme import datasets, loggers

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Four learning steps with ten critics for each environment step take long: so it is given fewer of these.
_RLPD = {'page': 'programs/gym/rlpd_pendulum.py', 'steps': 2_000}
_CQL = 'offline/gym/cql_pendulum.py'
_STEPS, _EVERY, _SHARE = 6_000, 250, 0.9


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
      if not path.exists():
        run = _run(way, seed, options, os.path.join(workdir, f'{way}-seed{seed}'))
        path.with_suffix('.json').write_text(json.dumps(_settings(run), indent=2) + '\n')
        shutil.copy(os.path.join(run, 'logs', 'evaluator.csv'), path)
        print(path, flush=True)
  told = json.loads(pathlib.Path(options.told).read_text())['pendulum']
  (out / 'README.md').write_text(_table(out, told['random'], told['expert']))


def _run(way: str, seed: int, options: Options, workdir: str) -> str:
  """The folder of a run."""
  changes = _WAYS[way](lambda kind: datasets.rlds(os.path.join(options.data, 'pendulum', kind)))
  steps = changes.pop('steps', _STEPS)
  experiment = dataclasses.replace(
    _page(changes.pop('page', 'programs/gym/sac.py'), seed),
    budget=tfacme.Budget(actor_steps=options.steps or steps),
    evaluation=tfacme.Evaluation(every=_EVERY, episodes=20),
  )
  like = changes.pop('like', None)
  if like:
    experiment = _like(experiment, _page(like, seed))
  if 'start' in changes:
    experiment = _configured(experiment, random_steps=0)
    learned = os.path.join(os.path.dirname(workdir), f'cql-of-{os.path.basename(changes["start"].path)}-seed{seed}')
    changes['start'] = _learned(_page(like, seed), changes['start'], options.offline_steps, learned)
  return tfacme.train(dataclasses.replace(experiment, **changes), workdir, progress=False).workdir


def _settings(run: str) -> Dict[str, Any]:
  """What a run was, without what names folders of this machine and the way tells as well."""
  description = json.loads(pathlib.Path(run, 'experiment.json').read_text())
  return {name: value for name, value in description.items() if name not in ('command', 'dataset', 'start')}


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


def _learned(page: Any, data: Any, steps: int, workdir: str) -> str:
  """The folder of a run of a page that has learned from data; several ways begin with one."""
  budget, evaluation = tfacme.Budget(learner_steps=steps), tfacme.Evaluation(every=0, episodes=20)
  experiment = dataclasses.replace(page, dataset=data, budget=budget, evaluation=evaluation)
  return tfacme.train(experiment, workdir, progress=False).workdir


def _page(path: str, seed: int) -> Any:
  """The experiment of a page."""
  return runpy.run_path(str(ROOT / path))['experiment'](seed)


def _table(out: pathlib.Path, random: float, expert: float) -> str:
  """What the runs came to."""
  goal = random + _SHARE * (expert - random)
  lines = [
    f'The environment steps after which an evaluation (20 episodes) first has a return of {goal:.0f} or more, 90% of '
    f'the way from random actions ({random:.0f}) to the end of the run of the teacher ({expert:.0f}); a dash where '
    'none has. In brackets, the returns of the first evaluation, of the worst one after that, and of the last.',
    '',
    '| way | ' + ' | '.join(f'seed {seed}' for seed in _seeds(out)) + ' |',
    '|---' * (1 + len(_seeds(out))) + '|',
  ]
  for way in _WAYS:
    cells = [_cell(out / f'{way}-seed{seed}.csv', goal) for seed in _seeds(out)]
    if any(cells):
      lines.append(f'| `{way}` | ' + ' | '.join(cells) + ' |')
  return '\n'.join(lines) + '\n'


def _seeds(out: pathlib.Path) -> List[str]:
  return sorted({path.stem.rpartition('-seed')[2] for path in out.glob('*-seed*.csv')})


def _cell(path: pathlib.Path, goal: float) -> str:
  """What a run came to; nothing of one that was not made."""
  if not path.exists():
    return ''
  curve = [(int(row['actor_steps']), float(row['episode_return'])) for row in loggers.read(str(path))]
  reached = next((i for i, (_, value) in enumerate(curve) if value >= goal), None)
  (_, first), (steps, last) = curve[0], curve[-1]
  if reached is None:
    return f'- ({first:.0f}; {last:.0f} after {steps:,})'
  worst = min(value for _, value in curve[reached:])
  return f'{curve[reached][0]:,} ({first:.0f}; {worst:.0f}; {last:.0f} after {steps:,})'


if __name__ == '__main__':
  main(tyro.cli(Options))
