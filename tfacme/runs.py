"""A run: what `train` does with an experiment and a folder, and what is there afterwards."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import sys
import tempfile
from importlib import metadata
from typing import Any, Callable, Dict, Optional

import cloudpickle

from tfacme import checkpoints, core, errors, evaluation, experiments, export, launching, loggers, program, seeds
from tfacme.replay import reverb_replay

_DESCRIPTION = 'experiment.json'
_ENVIRONMENT = 'environment.pkl'
_PACKAGES = ('tensorflow', 'dm-reverb', 'dm-launchpad-nightly', 'dm-sonnet', 'numpy')
_SAME = ('agent', 'config', 'environment', 'networks', 'seed', 'offline')  # what makes two experiments one


class Run:
  """A run that has been trained.

  Attributes:
    workdir: its folder.
    description: what `experiment.json` says.
  """

  def __init__(self, workdir: str):
    path = os.path.join(workdir, _DESCRIPTION)
    if not os.path.exists(path):
      raise errors.UserError(f'{workdir} is not the folder of a run: it has no {_DESCRIPTION}.')
    self.workdir = workdir
    with open(path, encoding='utf-8') as file:
      self.description: Dict[str, Any] = json.load(file)

  def evaluate(self, episodes: int = 20, seed: int = 0) -> evaluation.Result:
    """Plays episodes with the trained policy, in new environments."""
    errors.in_range('The number of episodes', episodes, low=1)
    policy = self.policy(seed)
    slots = min(episodes, 10)
    environments = [self.environment(seeds.derive(seed, 'evaluate', i)) for i in range(slots)]
    return evaluation.run_episodes(environments, policy.act, episodes)

  def policy(self, seed: int = 0) -> export.LoadedPolicy:
    """The trained policy."""
    return export.LoadedPolicy(os.path.join(self.workdir, 'policy'), seed)

  def environment(self, seed: int = 0) -> Any:
    """A new environment like the one that it was trained in."""
    with open(os.path.join(self.workdir, _ENVIRONMENT), 'rb') as file:
      return cloudpickle.load(file)(seed)

  def export(self, path: str) -> None:
    """Copies the trained policy, a SavedModel, to a folder."""
    import shutil

    self.policy()  # Says so if there is none.
    shutil.copytree(os.path.join(self.workdir, 'policy'), path, dirs_exist_ok=True)


def train(
  experiment: experiments.Experiment,
  workdir: Optional[str] = None,
  launch: str = 'inline',
  on_status: Optional[Callable[[Dict[str, Any]], None]] = None,
) -> Run:
  """Runs an experiment to its end; goes on from the last checkpoint if the folder has one of the same experiment.

  Args:
    experiment: what to run.
    workdir: the run's folder; None makes a temporary one.
    launch: 'inline', 'local_mt' or 'local_mp'.
    on_status: is called now and then with what the counter knows; for a display.

  Raises:
    UserError: the experiment does not fit together, or the folder belongs to another one.
    launching.NodeFailed: a node failed.
    launching.Interrupted: Ctrl-C or SIGTERM, after a checkpoint was written.
  """
  workdir = workdir or tempfile.mkdtemp(prefix='tfacme-')
  description = describe(experiment, launch)
  _check_folder(workdir, description)
  checkpoint = checkpoints.latest(os.path.join(workdir, 'checkpoints'))
  if checkpoint and _complete(workdir, checkpoint, experiment):
    return Run(workdir)
  graph = program.make_program(experiment, workdir, checkpoint)  # Finds what does not fit before anything is written.
  _write_description(workdir, description, experiment)
  _go_back_to(workdir, checkpoint, experiment.budget.unit)
  launching.launch(graph, launch, on_status)
  return Run(workdir)


def load_run(workdir: str) -> Run:
  """The run in a folder."""
  return Run(workdir)


def load_policy(workdir: str, seed: int = 0) -> export.LoadedPolicy:
  """The trained policy of the run in a folder: `action = policy(observation)`."""
  return load_run(workdir).policy(seed)


def describe(experiment: experiments.Experiment, launch: str) -> Dict[str, Any]:
  """An experiment as plain values, and what it ran with."""
  builder = experiment.builder
  description = {
    'agent': experiment.name or type(builder).__name__,
    'config': core.describe(builder.config),
    'environment': _name(experiment.environment),
    'networks': _name(experiment.networks),
    'seed': experiment.seed,
    'offline': experiment.offline,
    'budget': {experiment.budget.unit: experiment.budget.steps},
    'launch': launch,
    **{part: core.describe(getattr(experiment, part)) for part in ('layout', 'evaluation', 'checkpointing', 'logging')},
    'command': sys.argv,
    'versions': {
      'python': platform.python_version(),
      **{package: metadata.version(package) for package in _PACKAGES},
    },
  }
  return json.loads(json.dumps(description, default=str))


def _name(part: Any) -> str:
  """What a factory is called: its id, its dataclass, or the name of a function."""
  if hasattr(part, 'id'):
    wrappers = ''.join(f' {_name(wrapper)}' for wrapper in getattr(part, 'wrappers', ()))
    return f'{part.id}{wrappers}'
  if dataclasses.is_dataclass(part):
    return repr(part)
  function = getattr(part, 'func', part)  # of a partial
  arguments = f'{part.args}{part.keywords}' if function is not part else ''
  return f'{function.__module__}:{function.__qualname__}{arguments}'


def _check_folder(workdir: str, description: Dict[str, Any]) -> None:
  try:
    os.makedirs(workdir, exist_ok=True)
    with tempfile.TemporaryFile(dir=workdir):
      pass
  except OSError as error:
    raise errors.UserError(f'The work directory {workdir} can not be written: {error.strerror}.') from error
  if not os.path.exists(os.path.join(workdir, _DESCRIPTION)):
    return
  there = Run(workdir).description
  other = [f'{key} {there.get(key)!r}' for key in _SAME if there.get(key) != description[key]]
  if other:
    raise errors.UserError(
      f'The work directory {workdir} holds another experiment, with {_shorten(other[0])}; give another one.'
    )


def _shorten(text: str) -> str:
  return text if len(text) < 200 else text[:200] + ' ...'


def _complete(workdir: str, checkpoint: str, experiment: experiments.Experiment) -> bool:
  enough = checkpoints.manifest(checkpoint)['steps'] >= experiment.budget.steps
  return enough and os.path.isdir(os.path.join(workdir, 'policy'))


def _write_description(workdir: str, description: Dict[str, Any], experiment: experiments.Experiment) -> None:
  with open(os.path.join(workdir, _ENVIRONMENT), 'wb') as file:
    cloudpickle.dump(experiment.environment, file)
  with open(os.path.join(workdir, _DESCRIPTION), 'w', encoding='utf-8') as file:
    json.dump(description, file, indent=2)


def _go_back_to(workdir: str, checkpoint: Optional[str], unit: str) -> None:
  """Takes out of the logs, and of the replay server's folder, whatever came after the checkpoint."""
  saved = os.path.join(checkpoint, 'replay') if checkpoint else None
  reverb_replay.prepare_restore(saved, os.path.join(workdir, 'checkpoints', 'replay'))
  steps = checkpoints.manifest(checkpoint)['steps'] if checkpoint else -1
  logs = os.path.join(workdir, 'logs')
  for name in os.listdir(logs) if os.path.isdir(logs) else ():
    if name.endswith('.csv'):
      loggers.keep_until(os.path.join(logs, name), unit, steps)
