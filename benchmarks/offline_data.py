"""The data sets that offline agents are compared on: made once, of a teacher that learns online.

    python -m benchmarks.offline_data --data /data/offline

For each task there are episodes of random actions (`random`), of the teacher where it has come a third of the way from
random actions to the end of its run (`medium`), of the end of its run (`expert`), and all that it had experienced until
it was medium (`medium-replay`). The teacher plays as it explores, by its behaviour policy, and it is that one's return
which has come a third of the way. All of it is a function of the seed. What is in them, and how the policies play that
made them, is in `datasets.json` of the results.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import pathlib
import runpy
import shutil
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple

import dm_env
import numpy as np
import tyro

import tfacme
from tfacme import core, datasets, environments, errors, experiments, loggers, seeds, specs
from tfacme.datasets import summary as summary_lib
from tfacme.workers import episodes as episodes_lib
from tfacme.workers import export, playing, random_policy

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = 'benchmarks/results/offline'
FILE = 'datasets.json'
KINDS = ('random', 'medium-replay', 'medium', 'expert')
_MEDIUM = 1 / 3  # of the way


@dataclasses.dataclass(frozen=True)
class Task:
  """What data are made of.

  Attributes:
    page: the teacher's.
    steps: of its actor.
    transitions: of each data set but `medium-replay`.
    changes: what differs from the page's config.
    settings: what its environment is made with, beside what the page says.
  """

  page: str
  steps: int
  transitions: int
  changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


TASKS = {
  # One learning step for eight steps: so there is something to learn from before it is medium.
  'pendulum': Task('programs/gym/sac.py', 160_000, 100_000, {'samples_per_insert': 32.0}),
  # Actions that are repeated four times, as is usual there: of 1,000 small ones hardly any is worth more than another.
  'swingup': Task('programs/dm_control/sac.py', 60_000, 50_000, {'samples_per_insert': 128.0}, {'action_repeat': 4}),
  'halfcheetah': Task('programs/mujoco/sac.py', 150_000, 100_000),
  # It explores little when it is medium, so that most of what it does is its own.
  'cartpole': Task('programs/gym/dqn.py', 50_000, 50_000, {'epsilon': (1.0, 0.1, 2_000)}),
}


@dataclasses.dataclass(frozen=True)
class Options:
  """What is made.

  Attributes:
    data: the folder of the data.
    out: the folder of the results.
    tasks: their names.
    seed: of all that is random.
    steps: of the teachers; None is those of the tasks.
    transitions: of each data set; None is those of the tasks.
    initial_states: episodes by which policies are compared.
    looks: at the teacher, of which the nearest to a third of the way is where it is medium.
  """

  data: str
  out: str = RESULTS
  tasks: Tuple[str, ...] = tuple(TASKS)
  seed: int = 0
  steps: Optional[int] = None
  transitions: Optional[int] = None
  initial_states: int = 100
  looks: int = 100


def returns(act: playing.Act, make: Callable[..., dm_env.Environment], count: int) -> List[float]:
  """The returns of episodes that begin alike for all policies, each in an environment of its own.

  Args:
    act: the policy.
    make: the environment from a seed.
    count: how many.
  """
  made = [specs.make_environment(make, seeds.derive(0, 'initial state', i), 'evaluator') for i in range(count)]
  limit = experiments.MAX_EPISODE_STEPS
  player = playing.Player('The evaluation', made, specs.environment_spec(made[0]), limit)
  played = playing.play_all(player, act, count, limit).returns.tolist()
  for environment in made:
    environment.close()
  return played


def _teach(task: Task, options: Options, folder: pathlib.Path, until: Optional[int] = None) -> tfacme.Run:
  """The teacher's run; or its beginning, until so many steps, whose experience is kept: it is the same each time."""
  experiment = runpy.run_path(str(ROOT / task.page))['experiment'](options.seed)
  builder: Any = experiment.builder
  steps = options.steps or task.steps
  make: Any = experiment.environment
  experiment = dataclasses.replace(
    experiment,
    environment=environments.factory(make.id, make.options, **task.settings),
    builder=dataclasses.replace(builder, config=dataclasses.replace(builder.config, **task.changes)),
    budget=tfacme.Budget(actor_steps=steps),
    evaluation=tfacme.Evaluation(every=max(1, steps // options.looks), episodes=20, policy='behaviour'),
    checkpointing=tfacme.Checkpointing(every=0, best=False, replay=False),
    on_evaluation=lambda evaluated: tfacme.Stop('it is medium') if evaluated.steps == until else None,
    record=None if until is None else str(folder / 'medium-replay'),
    loggers=(),
  )
  return tfacme.train(experiment, str(folder / ('teacher' if until is None else 'medium-teacher')))


def _medium(run: tfacme.Run, random: float, expert: float) -> int:
  """The steps at which the teacher had come nearest to a third of the way, before it had come twice as far."""
  rows = loggers.read(os.path.join(run.workdir, 'logs', 'evaluator.csv'))
  ways = {int(row['actor_steps']): (float(row['episode_return']) - random) / (expert - random) for row in rows}
  early = list(itertools.takewhile(lambda steps: ways[steps] < 2 * _MEDIUM, ways))
  return min(early or ways, key=lambda steps: abs(ways[steps] - _MEDIUM))


def _behaviour(run: tfacme.Run, folder: pathlib.Path, seed: int) -> export.LoadedPolicy:
  """The teacher's behaviour policy at the end of a run."""
  experiment, steps = run.experiment(), run.checkpoints()[-1]
  spec = specs.read_spec(experiment.environment, seed=0)
  policy = experiment.builder.policy(run.networks(), spec, evaluation=False)
  export.Exporter(policy, spec, experiment.budget.steps).save(str(folder), steps)
  return export.LoadedPolicy(str(folder), seed)


def _record(policy: Any, make: Any, transitions: int, out: pathlib.Path, seed: int) -> None:
  """Writes so many transitions of a policy, to the end of the last episode."""
  origin = datasets.Origin.of(out.name, make, seed)
  environment, limit, steps = make(seed), playing.Limit(experiments.MAX_EPISODE_STEPS), 0
  spec = specs.environment_spec(environment)
  with datasets.RLDSWriter(str(out), core.step_spec(spec), metadata=datasets.METADATA) as writer:
    while steps < transitions:
      episode = datasets.episode(episodes_lib.play(policy, environment, spec, limit, 'The recording'))
      writer.write(episode, datasets.metadata_of(episode, origin))
      steps += len(episode.last) - 1
  environment.close()


def make_task(name: str, options: Options) -> Dict[str, Any]:
  """Makes the data of a task, in folders of its folder; returns what `datasets.json` says of it."""
  task, folder = TASKS[name], pathlib.Path(options.data) / name
  shutil.rmtree(folder, ignore_errors=True)
  teacher = _teach(task, options, folder)
  make, transitions = teacher.experiment().environment, options.transitions or task.transitions
  seed = {kind: seeds.derive(options.seed, f'offline data {kind}') for kind in KINDS}
  randomly = random_policy.RandomPolicy(specs.read_spec(make, seed=0).actions, seed['random'])
  _record(randomly, make, transitions, folder / 'random', seed['random'])
  random = _described(folder / 'random', None)['return_mean']
  expert = returns(teacher.policy().act, make, options.initial_states)
  medium = _teach(task, options, folder, until=_medium(teacher, random, float(np.mean(expert))))
  played = {}
  for kind, run in (('medium', medium), ('expert', teacher)):
    policy = _behaviour(run, folder / f'policy-{kind}', seed[kind])
    _record(policy, make, transitions, folder / kind, seed[kind])
    played[kind] = returns(policy.act, make, options.initial_states)
  return {
    **{'environment': make.id, 'teacher': task.page, 'changes': dict(task.changes)},
    **({'settings': dict(task.settings)} if task.settings else {}),
    **{'seed': options.seed, 'medium_steps': medium.checkpoints()[-1], 'expert_steps': teacher.checkpoints()[-1]},
    'transitions': transitions,
    **{'random': random, 'expert': float(np.mean(expert)), 'expert_returns': _rounded(expert)},
    'data': {kind: _described(folder / kind, played.get(kind)) for kind in KINDS},
  }


def _described(folder: pathlib.Path, played: Optional[List[float]]) -> Dict[str, Any]:
  """What is in a data set, and how the policy plays that made it where all begin."""
  found = summary_lib.summarize(datasets.rlds(str(folder)).episodes())
  described = {
    **{'episodes': found.episodes, 'transitions': found.steps, 'terminated': int(found.terminated.sum())},
    **{'return_mean': float(found.returns.mean()), 'return_standard_deviation': float(found.returns.std())},
    **{'return_minimum': float(found.returns.min()), 'return_maximum': float(found.returns.max())},
  }
  return described if played is None else {**described, 'policy_returns': _rounded(played)}


def _rounded(numbers: Iterable[float]) -> List[float]:
  return [round(number, 3) for number in numbers]


def read(out: str) -> Dict[str, Any]:
  """What `datasets.json` in a folder of results says; nothing if there is none."""
  path = pathlib.Path(out) / FILE
  return json.loads(path.read_text(encoding='utf-8')) if path.exists() else {}


def _is_there(name: str, options: Options) -> bool:
  """Whether there are the data of a task, as they are asked for; raises a `UserError` if there is something else."""
  folder, made, task = pathlib.Path(options.data) / name, read(options.out).get(name), TASKS[name]
  if made is None:
    if folder.exists() and any(folder.iterdir()):
      raise errors.UserError(
        f'The folder {folder} is not empty, and {pathlib.Path(options.out) / FILE} does not tell of it: give the --out '
        'that does, or another --data; remove it if it is what was left when this was stopped.'
      )
    return False
  if not (folder / 'expert').exists():
    return False
  asked = {
    'seed': options.seed,
    'steps': options.steps or task.steps,
    'transitions': options.transitions or task.transitions,
    'initial states': options.initial_states,
  }
  there = {
    'seed': made['seed'],
    'steps': made['expert_steps'],
    'transitions': made.get('transitions', task.transitions),
    'initial states': len(made['expert_returns']),
  }
  differing = [
    f'{what} {there[what]:,} in the place of {asked[what]:,}' for what in asked if there[what] != asked[what]
  ]
  if differing:
    raise errors.UserError(
      f'The data of {name} in {folder} are there, of {errors.listed(differing, most=4)}: give another --data and --out '
      'for others.'
    )
  return True


def main(options: Options) -> None:
  """Makes what is not there yet."""
  os.makedirs(options.out, exist_ok=True)
  for name in options.tasks:
    if _is_there(name, options):
      print(f'{name} is there')
      continue
    made = {**read(options.out), name: make_task(name, options)}
    (pathlib.Path(options.out) / FILE).write_text(json.dumps(made, indent=2) + '\n', encoding='utf-8')
    for kind, data in made[name]['data'].items():
      print(f'{name}, {kind}: {data["transitions"]:,} transitions, return {data["return_mean"]:.1f}', flush=True)


if __name__ == '__main__':
  main(tyro.cli(Options, description=__doc__))
