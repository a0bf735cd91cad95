"""What must hold for every agent. Each check raises an AssertionError that says what it found."""

from __future__ import annotations

import dataclasses
import math
import os
import shutil
import tempfile
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import cloudpickle
import numpy as np
import tensorflow as tf
import tree

import tfacme
from tfacme import checkpoints, core, experiments, loggers
from tfacme.graph import nodes

ENGINES = ('inline', 'local_mt', 'local_mp')

_CLOCKS = (
  'timestamp',
  '_per_second',
  'reading',
  *loggers.COLUMNS,
)  # how the columns end that tell of time and the machine
_IN_THE_END = ('evaluator', 'saver')  # roles of workers that nobody waits for
_EPISODES = 2

Folder = Union[str, 'os.PathLike[str]']


def check_agent(experiment: experiments.Experiment, folder: Folder, engines: Sequence[str] = ENGINES) -> None:
  """All checks of this module, each in a folder of its own.

  Args:
    experiment: the agent in a small environment, with a budget of seconds in which it takes some learning steps.
    folder: where the runs go; it is made if it is not there.
    engines: on which it runs to its end.

  Raises:
    AssertionError: if one of them fails.
  """
  check_travels(experiment)
  check_update(experiment)
  check_resumes(experiment, os.path.join(folder, 'resumes'), check_repeats(experiment, os.path.join(folder, 'repeats')))
  for engine in engines:
    check_runs(experiment, os.path.join(folder, engine), engine)


def check_travels(experiment: experiments.Experiment) -> None:
  """Every node of the experiment's program can be sent to another process."""
  for node in nodes.of_program(tfacme.make_program(experiment)):
    try:
      cloudpickle.loads(cloudpickle.dumps(node.run))
    except Exception as error:
      raise AssertionError(f'The node {node.name} can not be pickled: {error}') from error


def check_runs(experiment: experiments.Experiment, folder: Folder, launch: str = 'inline') -> tfacme.Run:
  """It runs to its end on an engine, in exactly its steps; has learned; logs finite numbers; and leaves a policy.

  Returns:
    The run, for checks of your own: of what it has learned, say.
  """
  run = tfacme.train(_with_middle(experiment), os.fspath(folder), launch, progress=False)
  manifest = checkpoints.manifest(_last(folder))
  _expect(
    manifest['steps'] == experiment.budget.steps,
    f'The run in {folder} ended after {manifest["steps"]} of its {experiment.budget.steps} {experiment.budget.unit}.',
  )
  rows = logs(folder).get('learner', [])
  _expect(bool(rows), f'The run in {folder} learned nothing: its replay never held as much as the agent waits for.')
  for row in rows:
    strange = [name for name, value in row.items() if value and not math.isfinite(float(value))]
    _expect(not strange, f'At learner step {row["learner_steps"]}, {", ".join(strange)} is no finite number.')
  _expect(run.evaluate(_EPISODES).episodes == _EPISODES, 'The exported policy can not be evaluated.')
  check_actions(run)
  return run


def check_repeats(experiment: experiments.Experiment, folder: Folder) -> str:
  """A run in one thread is a function of its seed: all that it logs and learns is the same, and differs for another.

  Returns:
    The folder of one of the runs, for `check_resumes`.
  """
  runs = [os.path.join(folder, name) for name in ('first', 'second', 'other')]
  experiment = _with_middle(experiment)
  for run, seed in zip(runs, (experiment.seed, experiment.seed, experiment.seed + 1)):
    tfacme.train(dataclasses.replace(experiment, seed=seed), run, progress=False)
  first, second, other = ({'logs': logs(run), 'learned': _digests(run)['learner']} for run in runs)
  _expect_same('Two runs of one seed', first, second)
  _expect(first != other, 'Two runs of different seeds are the same.')
  return runs[0]


def check_resumes(experiment: experiments.Experiment, folder: Folder, whole: Optional[str] = None) -> None:
  """A run resumes from a checkpoint in its middle: what is restored is what was saved, and the rest a function of it.

  Environments begin new episodes, whose states are in no checkpoint. Without actors a run learns as if it had not been
  stopped.

  Args:
    experiment: the agent in a small environment.
    folder: where the runs go; it is made if it is not there.
    whole: the folder of a run of it that `check_repeats` has made, so that it needs no other.
  """
  experiment, budget = _with_middle(experiment), experiment.budget
  if whole is None:
    whole = tfacme.train(experiment, os.path.join(folder, 'whole'), progress=False).workdir
  names = ('run',) if experiment.offline else ('run', 'copy')
  resumed = [_stopped_in_the_middle(whole, os.path.join(folder, name)) for name in names]
  _check_restored(experiment, resumed[0])
  for run in resumed:
    tfacme.train(experiment, run, progress=False)
    steps = checkpoints.manifest(_last(run))['steps']
    _expect(steps == budget.steps, f'A resumed run ended after {steps} of its {budget.steps} {budget.unit}.')
  if not experiment.offline:
    _expect_same('Two runs that resumed from one checkpoint', *map(logs, resumed))
  else:
    learned = [{'log': logs(run)['learner'], 'learned': _digests(run)['learner']} for run in (whole, resumed[0])]
    _expect_same('A run and one that was stopped and resumed', *learned)


def _with_middle(experiment: experiments.Experiment) -> experiments.Experiment:
  """An experiment that writes a checkpoint in its middle, and keeps it; no policy is written but with a checkpoint."""
  steps = experiment.budget.steps
  checkpointing = experiments.Checkpointing(every=max(1, steps // 2), keep=steps, best=False)
  return dataclasses.replace(experiment, checkpointing=checkpointing)


def _stopped_in_the_middle(run: str, copy: str) -> str:
  """A copy of a run as if it had been killed after its first checkpoint."""
  shutil.copytree(run, copy)
  first, *others = sorted(os.listdir(os.path.join(copy, 'checkpoints')))
  _expect(bool(others), f'The run in {run} wrote only one checkpoint: give it a budget of some steps more.')
  for name in others:
    shutil.rmtree(os.path.join(copy, 'checkpoints', name))
  return copy


def check_update(experiment: experiments.Experiment) -> None:
  """What a learning step returns are scalars and priorities, and all that the next one needs is saved with it.

  The learner takes a step, and is saved; another one restores that. From there on they have to do the same.
  """
  program = tfacme.make_program(experiment)
  objects = _made(program, *_IN_THE_END)
  others = [objects[node.name] for node in nodes.of_program(program) if node.role not in ('learner', *_IN_THE_END)]
  learner, actors = objects['learner'], [worker for worker in others if hasattr(worker, 'step')]
  while learner.steps == 0:
    _step([*actors, learner])
  restored_objects = _made(program, 'actor', *_IN_THE_END)
  other = restored_objects['learner']
  with tempfile.TemporaryDirectory() as saved:
    digest = learner.save(saved)
    _expect(other.restore(saved) == digest, 'What the update restores is not what it saved.')
  while isinstance(batch := learner.try_read(), core.Blocked):
    _step(actors)
  with tempfile.TemporaryDirectory() as saved:  # A schedule may go by the steps of the run, which the counter tells.
    objects['counter'].save(saved)
    restored_objects['counter'].restore(saved)
  for either in (learner, other):
    either.tally.refresh()
  for _ in range(3):  # What is kept outside of its variables shows in a later step at the latest.
    given, again = learner.update(batch), other.update(batch)
    for name, value in given.metrics.items():
      _expect(tf.convert_to_tensor(value).shape.rank == 0, f'The metric {name} is {value}, and has to be a scalar.')
    restored = 'The learning step of an update that was restored'
    _expect_same(restored, _plain(given.metrics), _plain(again.metrics))
    _expect_same(restored, {'priorities': _plain(given.priorities)}, {'priorities': _plain(again.priorities)})
  with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
    _expect(learner.save(one) == other.save(two), 'An update that was restored learns something else than the first.')


def logs(folder: Folder) -> Dict[str, List[Dict[str, str]]]:
  """All logs of a run without the columns that tell the time: {'learner': rows, 'actor-0': rows, ...}."""
  found = {}
  path = os.path.join(folder, 'logs')
  for file in sorted(os.listdir(path)):
    name, ending = os.path.splitext(file)
    if ending == '.csv':
      rows = loggers.read(os.path.join(path, file))
      found[name] = [{column: row[column] for column in row if not column.endswith(_CLOCKS)} for row in rows]
  return found


def _step(workers: Sequence[core.Worker]) -> None:
  """Steps each of the workers once, in this thread."""
  outcomes = [worker.step(0.0) for worker in workers]
  blocked = [outcome for outcome in outcomes if isinstance(outcome, core.Blocked)]
  goes_on = core.Progress.DID in outcomes or any(outcome.passes for outcome in blocked)
  reasons = '; '.join(outcome.reason for outcome in blocked)
  _expect(goes_on, f'No worker can continue, and nothing was learned: {reasons}.')


def _check_restored(experiment: experiments.Experiment, run: str) -> None:
  """Checks that the nodes of a resumed run save what was saved."""
  checkpoint = _last(run)
  objects = _made(tfacme.make_program(experiment, run, checkpoint), 'actor', *_IN_THE_END)
  for name, digest in _digests(run).items():
    with tempfile.TemporaryDirectory() as saved:
      _expect(objects[name].save(saved) == digest, f'What the {name} restores is not what it saved.')


def _made(program: Any, *but: str) -> Dict[str, Any]:
  """The objects of a program's nodes, {name: object}, but of those of some roles, on which no other one depends."""
  left_out = {node.name for node in nodes.of_program(program) if node.role in but}
  return nodes.make_all(program, lambda name, make: None if name in left_out else make())


def _digests(run: str) -> Dict[str, str]:
  """Of what the last checkpoint of a run holds."""
  return checkpoints.manifest(_last(run))['digests']


def _last(run: Folder) -> str:
  """The newest checkpoint of a run."""
  return checkpoints.latest(os.path.join(run, 'checkpoints')) or ''


def check_actions(run: tfacme.Run) -> None:
  """Checks that the exported policy's actions in an episode are those of the environment, one observation at a time."""
  environment, policy = run.environment(seed=1), tfacme.load_policy(run.workdir)
  timestep = environment.reset()
  for _ in range(100):
    if timestep.last():
      break
    action = policy(timestep.observation)
    try:
      tree.map_structure(lambda spec, value: spec.validate(value), environment.action_spec(), action)
    except ValueError as error:
      raise AssertionError(
        f'The exported policy takes an action that the environment does not have: {error}'
      ) from error
    timestep = environment.step(action)
  environment.close()


def _plain(nest: Any) -> Any:
  """A nest of tensors as plain values, that can be compared."""
  return None if nest is None else tf.nest.map_structure(lambda x: np.asarray(x).tolist(), nest)


def _expect(condition: bool, message: str) -> None:
  if not condition:
    raise AssertionError(message)


def _expect_same(what: str, one: Any, other: Any) -> None:
  difference = _difference((), one, other)
  if difference:
    path, left, right = difference
    raise AssertionError(f'{what} differ in {path}: {left!r} and {right!r}.')


def _difference(path: Tuple[Any, ...], one: Any, other: Any) -> Any:
  """The first place where two nests of plain values differ, with both values; None if they are the same."""
  if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
    pairs = [((*path, key), one[key], other[key]) for key in one]
  elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
    pairs = [((*path, i), left, right) for i, (left, right) in enumerate(zip(one, other))]
  else:
    return None if one == other else ('/'.join(map(str, path)), one, other)
  return next((found for pair in pairs if (found := _difference(*pair))), None)
